import ConcordMedia
import Synchronization

/// Decoded pictures in memory, shared by the loader's threads.
///
/// It fills up to its limit and then stays as it is: a shuffled epoch touches every picture once, so pushing out old
/// ones would gain nothing.
final class DecodedImageCache: Sendable {
    private struct Contents {
        var images: [Int: Image] = [:]
        var bytes = 0
    }

    private let limit: Int
    private let contents = Mutex(Contents())

    /// A cache of at most `limit` bytes of pixels.
    init(limit: Int) { self.limit = limit }

    subscript(index: Int) -> Image? { contents.withLock { $0.images[index] } }

    func insert(_ image: Image, at index: Int) {
        contents.withLock { contents in
            guard contents.bytes + image.pixels.count <= limit, contents.images[index] == nil else { return }
            contents.images[index] = image
            contents.bytes += image.pixels.count
        }
    }
}
