import ConcordCore
import ConcordMedia
import Synchronization

/// Makes the batches of images and captions: decodes, augments and normalizes images, draws and tokenizes captions.
///
/// A batch depends on the seed, the epoch and the item indices alone: not on threads, on earlier batches, or on the
/// processes that share it. So a resumed run sees the same ones, also with another number of processes. An image that
/// cannot be decoded is replaced by another, drawn from the same seed, and listed in ``skipped``.
public final class ContrastiveCollator: Sendable {
    public let dataset: CaptionDataset
    private let preprocessing: ImagePreprocessing
    private let augmentation: TrainingAugmentation?
    private let sampling: CaptionSampling
    private let seed: UInt64
    private let maximumSkippedFraction: Double
    private let tokenize: @Sendable ([String]) throws -> [[Int32]]
    private let cache: DecodedImageCache
    private let failures = Mutex<[Int: SkippedRow]>([:])

    /// - Parameters:
    ///   - augmentation: applied to every image in place of the preprocessing's resize and crop; nil for none.
    ///   - cacheLimit: bytes of decoded images to keep in memory.
    ///   - maximumSkippedFraction: the largest part of the images that may turn out undecodable.
    ///   - tokenize: makes the ids of each text, special tokens included; called from several threads at once.
    /// - Throws: `.invalidDataset` for an empty dataset, `.invalidConfiguration` for impossible sampling.
    public init(
        dataset: CaptionDataset, preprocessing: ImagePreprocessing, augmentation: TrainingAugmentation? = nil,
        sampling: CaptionSampling = .init(), seed: UInt64, cacheLimit: Int = 512 << 20,
        maximumSkippedFraction: Double = 0.1, tokenize: @escaping @Sendable ([String]) throws -> [[Int32]]
    ) throws(ConcordError) {
        guard !dataset.items.isEmpty else {
            throw ConcordError(.invalidDataset, "\(dataset.captionFile) has no images to train on; check the split")
        }
        try sampling.validate(for: dataset)
        self.dataset = dataset
        self.preprocessing = preprocessing
        self.augmentation = augmentation
        self.sampling = sampling
        self.seed = seed
        self.maximumSkippedFraction = maximumSkippedFraction
        self.tokenize = tokenize
        cache = DecodedImageCache(limit: cacheLimit)
    }

    /// Images that could not be decoded so far, in the order of the dataset.
    public var skipped: [SkippedRow] {
        failures.withLock { failures in failures.sorted { $0.key < $1.key }.map(\.value) }
    }

    /// The batch of the given items.
    ///
    /// - Parameters:
    ///   - indices: the items of the batch of all processes.
    ///   - rows: the places among them that this process takes; nil takes all.
    /// - Throws: `.tooManySkippedRows` when too many images cannot be decoded, and what the tokenizer throws.
    public func batch(epoch: Int, indices: [Int], rows: Range<Int>? = nil) throws -> SampleBatch {
        let rows = rows ?? indices.indices
        let planned = Set(indices)
        let images = try rows.map { try readImage(indices[$0], epoch: epoch, avoiding: planned) }
        let size = preprocessing.cropSize
        let length = 3 * size * size
        let pixels = [Float](unsafeUninitializedCapacity: images.count * length) { buffer, filled in
            for (place, image) in images.enumerated() {
                let target = UnsafeMutableBufferPointer(rebasing: buffer[place * length..<(place + 1) * length])
                if let augmentation {
                    var random = random(Stream.image, epoch, indices[rows.lowerBound + place])
                    preprocessing.normalize(augmentation(image.image, size: size, random: &random), to: target)
                } else {
                    preprocessing.write(image.image, to: target)
                }
            }
            filled = buffer.count
        }
        let captions = drawCaptions(epoch: epoch, indices: indices, rows: rows, replacements: images.map(\.index))
        return SampleBatch(
            values: [
                .image: .numbers(pixels, shape: [3, size, size]), .text: .tokens(try captions.map(tokenize)),
            ], captions: captions, sampleIDs: images.map(\.index), rows: rows)
    }

    /// The captions of the rows, `[view][row]`.
    ///
    /// To avoid duplicates a draw has to know those before it, also of the rows of other processes. It knows them as
    /// planned: whether an image can be decoded is known to the process that reads it alone.
    private func drawCaptions(epoch: Int, indices: [Int], rows: Range<Int>, replacements: [Int]) -> [[String]] {
        let drawn = (sampling.avoidsDuplicateCaptions ? 0 : rows.lowerBound)..<rows.upperBound
        var sources = drawn.map { random(Stream.caption, epoch, indices[$0]) }
        return (0..<sampling.captionsPerImage).map { view in
            let planned = sampling.texts(
                slot: view, items: drawn.map { dataset.items[indices[$0]] }, random: &sources)
            return rows.map { row in
                let replacement = replacements[row - rows.lowerBound]
                guard replacement != indices[row] else { return planned[row - drawn.lowerBound] }
                var source = [random(Stream.replacedCaption, epoch, indices[row], view)]
                return sampling.texts(slot: view, items: [dataset.items[replacement]], random: &source)[0]
            }
        }
    }

    private func random(_ stream: UInt64, _ epoch: Int, _ index: Int, _ view: Int = 0) -> RandomSource {
        RandomSource(seed: seed, stream: stream, UInt64(epoch), UInt64(index), UInt64(view))
    }

    /// A loader of the batches numbered through all epochs: batch `n` is batch `n % batchesPerEpoch` of epoch
    /// `n / batchesPerEpoch`. To resume at step `n`, start the range there.
    public func loader(
        sampler: DistributedSampler, batches: Range<Int>, threads: Int = 1, ahead: Int = 4
    ) -> PrefetchLoader<SampleBatch> {
        precondition(
            sampler.count == dataset.items.count && (sampler.batchesPerEpoch > 0 || batches.isEmpty),
            "a sampler of \(sampler.count) samples with \(sampler.batchesPerEpoch) batches per epoch does not fit "
                + "a dataset of \(dataset.items.count) items")
        let orders = EpochOrders(sampler: sampler)
        return PrefetchLoader(batches: batches, threads: threads, ahead: ahead) { [self] number in
            let (epoch, index) = number.quotientAndRemainder(dividingBy: sampler.batchesPerEpoch)
            let indices = orders.batches(epoch: epoch)[index]
            return try batch(epoch: epoch, indices: indices, rows: sampler.share(of: indices.count))
        }
    }

    /// Image `index`, or, when it cannot be decoded, one drawn in its place.
    private func readImage(
        _ index: Int, epoch: Int, avoiding planned: Set<Int>
    ) throws -> (index: Int, image: Image) {
        if let image = try decoded(index) { return (index, image) }
        var random = random(Stream.replacement, epoch, index)
        for attempt in 0..<64 {
            let candidate = random.index(below: dataset.items.count)
            // A small dataset may have no image that is not in the batch; then a repeated one has to do.
            if attempt < 32 && planned.contains(candidate) { continue }
            if let image = try decoded(candidate) { return (candidate, image) }
        }
        throw ConcordError(
            .invalidDataset, "no replacement was found for \(dataset.items[index].image); check the images")
    }

    /// The decoded image; nil, noted in `failures`, when it cannot be decoded.
    private func decoded(_ index: Int) throws -> Image? {
        if let image = cache[index] { return image }
        if failures.withLock({ $0[index] != nil }) { return nil }
        let item = dataset.items[index]
        do throws(ConcordError) {
            let image = try Image(contentsOf: dataset.path(of: item))
            cache.insert(image, at: index)
            return image
        } catch {
            // Anything but damaged pixels may pass by the next time, and the batches must not depend on that.
            guard error.code == .invalidImage else { throw error }
            let row = SkippedRow(
                file: dataset.captionFile, line: item.line, reason: .undecodableImage, detail: error.message)
            let count = failures.withLock { failures in
                failures[index] = row
                return failures.count
            }
            guard Double(count) <= maximumSkippedFraction * Double(dataset.items.count) else {
                throw SkippedRow.tooMany(
                    skipped, of: dataset.items.count, noun: "images", in: dataset.captionFile,
                    limit: maximumSkippedFraction)
            }
            return nil
        }
    }
}

/// First keys of the builder's random streams.
private enum Stream {
    static let image: UInt64 = 0x696D_6167
    static let caption: UInt64 = 0x6361_7074
    static let replacedCaption: UInt64 = 0x7263_6170
    static let replacement: UInt64 = 0x7265_706C
}

/// The orders of the epochs that the loader's threads are at; more than two are never needed.
private final class EpochOrders: Sendable {
    private let sampler: DistributedSampler
    private let orders = Mutex<[Int: [[Int]]]>([:])

    init(sampler: DistributedSampler) { self.sampler = sampler }

    func batches(epoch: Int) -> [[Int]] {
        orders.withLock { orders in
            if let known = orders[epoch] { return known }
            let batches = sampler.batches(epoch: epoch)
            orders = orders.filter { $0.key >= epoch - 1 }
            orders[epoch] = batches
            return batches
        }
    }
}

/// Decoded images in memory, shared by the loader's threads.
///
/// It fills up to its limit and then stays as it is: a shuffled epoch touches every image once, so pushing out old
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
