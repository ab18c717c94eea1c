import ConcordCheckpoint
import ConcordCore

/// Images that are kept out of training, to measure a model by: chosen by their names, so that every run on the same
/// data, and on more of it, chooses alike.
///
/// Copies of an image stay on one side, and so do images that share a caption, else the model would be asked for what
/// it has learned by heart. Where captions are shared so widely that this leaves too little, as labels are, less binds
/// images together.
package struct HeldOutImages: Sendable {
    /// The rule that keeps images on one side, besides being copies.
    package enum Binding: Sendable, CaseIterable {
        /// One caption that reads the same.
        case anyCaption
        /// All captions.
        case allCaptions
        case nothing
    }

    /// Places of the images in the list they were chosen from, ascending.
    package let indices: [Int]
    package let binding: Binding
    /// The number that is here because they are copies of others, or share their captions.
    package let followers: Int

    /// Images that belong together are held out when they are this many at most; more are a class, not copies.
    private static let largestGroup = 8

    /// Chooses about `count` images of `items`; fewer where there are not so many that can be told from the others.
    ///
    /// - Parameter dataset: knows where the images are. Those of equal size in bytes are read and compared.
    package init(_ count: Int, of items: [CaptionItem], in dataset: CaptionDataset) {
        guard count > 0 else {
            (indices, binding, followers) = ([], .nothing, 0)
            return
        }
        let order = Self.order(items), copies = ImageCopies(items, in: dataset)
        var best: (indices: [Int], binding: Binding, followers: Int) = ([], .nothing, 0)
        for binding in Binding.allCases where 2 * best.indices.count < count {
            let captions = SharedCaptions(items, binding),
                found = Self.choose(count, order) { index in
                    copies.groups(of: index) + captions.groups(of: index)
                }
            if found.indices.count > best.indices.count { best = (found.indices, binding, found.followers) }
        }
        (indices, binding, followers) = (best.indices.sorted(), best.binding, best.followers)
    }

    /// The default number of held-out images: a tenth, but enough to tell something and no more than needed.
    package static func usualCount(of images: Int) -> Int { min(2000, max(images / 10, min(20, images / 5))) }

    /// The images by the hash of their names.
    private static func order(_ items: [CaptionItem]) -> [Int] {
        let keys = items.map { FileHash(.xxh128, of: Array($0.name.utf8)).hexadecimal }
        return items.indices.sorted { (keys[$0], items[$0].name) < (keys[$1], items[$1].name) }
    }

    private static func choose(
        _ count: Int, _ order: [Int], _ groups: (Int) -> [[Int]]
    ) -> (indices: [Int], followers: Int) {
        var chosen = [Int](), followers = 0
        /// Whether an image that was looked at is held out.
        var isHeldOut = [Int: Bool]()
        for first in order where chosen.count < count && isHeldOut[first] == nil {
            var together = [first], members = Set(together), next = 0, fits = true
            while fits, next < together.count {
                for group in groups(together[next]) where fits {
                    // What touches a group that is too large is part of it.
                    fits = group.count <= largestGroup && !group.contains { isHeldOut[$0] == false }
                    if fits { together += group.filter { members.insert($0).inserted } }
                }
                fits = fits && together.count <= largestGroup
                next += 1
            }
            // Nothing is left to train on when one group is all there is.
            fits = fits && chosen.count + together.count < order.count
            for index in together { isHeldOut[index] = fits }
            guard fits else { continue }
            chosen += together
            followers += together.count - 1
        }
        return (chosen, followers)
    }
}

/// The images that share captions.
private struct SharedCaptions {
    private let keys: [[UTF8Key]]
    private var images: [UTF8Key: [Int]] = [:]

    init(_ items: [CaptionItem], _ binding: HeldOutImages.Binding) {
        // As tokenizers read them, which as a rule know no capitals.
        func texts(_ item: CaptionItem) -> [String] { item.captions.map { $0.text.lowercased() } }
        switch binding {
        case .anyCaption: keys = items.map { Set(texts($0)).map(UTF8Key.init) }
        case .allCaptions: keys = items.map { [UTF8Key(texts($0).sorted().joined(separator: "\n"))] }
        case .nothing: keys = items.map { _ in [] }
        }
        for (index, own) in keys.enumerated() {
            for key in own { images[key, default: []].append(index) }
        }
    }

    func groups(of index: Int) -> [[Int]] { keys[index].map { images[$0] ?? [] } }
}

/// The images that are the same, byte for byte.
private final class ImageCopies {
    private let paths: [String]
    private let sizes: [Int]
    private var ofSize: [Int: [Int]] = [:]
    private var hashes: [Int: String] = [:]
    private var ofHash: [String: [Int]] = [:]

    init(_ items: [CaptionItem], in dataset: CaptionDataset) {
        paths = items.map { dataset.path(of: $0) ?? "" }
        sizes = paths.map { Files.size($0) ?? -1 }
        for (index, size) in sizes.enumerated() where size >= 0 { ofSize[size, default: []].append(index) }
    }

    func groups(of index: Int) -> [[Int]] {
        guard let candidates = ofSize[sizes[index]], candidates.count > 1 else { return [] }
        if hashes[index] == nil {
            for candidate in candidates {
                // What cannot be read is no copy of anything; loading it will say why.
                let hash =
                    (try? FileHash(.xxh128, ofFile: paths[candidate]).hexadecimal) ?? "unreadable \(candidate)"
                hashes[candidate] = hash
                ofHash[hash, default: []].append(candidate)
            }
        }
        return hashes[index].flatMap { ofHash[$0] }.map { [$0] } ?? []
    }
}
