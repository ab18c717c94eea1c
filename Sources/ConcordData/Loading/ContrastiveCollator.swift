import ConcordCore
import ConcordMedia
import Synchronization

/// Makes the batches of images, captions and sounds: decodes, augments and normalizes images and sounds, draws and
/// tokenizes captions.
///
/// A batch depends on the seed, the epoch and the item indices alone: not on threads, on earlier batches, or on the
/// processes that share it. So a resumed run sees the same ones, also with another number of processes. What an item does
/// not have is absent from its row. An image or a sound that cannot be decoded is something else: it is listed in
/// ``skipped``, and a policy says what becomes of the row.
public final class ContrastiveCollator: Sendable {
    /// How sounds are turned into features.
    public struct Sounds: Sendable, Hashable {
        public var preprocessing: AudioPreprocessing
        /// Nil for none.
        public var augmentation: AudioAugmentation?
        /// The frames that a model hears; of a longer sound it hears the first.
        public var maximumFrames: Int

        public init(
            _ preprocessing: AudioPreprocessing, augmentation: AudioAugmentation? = nil, maximumFrames: Int = .max
        ) {
            self.preprocessing = preprocessing
            self.augmentation = augmentation
            self.maximumFrames = maximumFrames
        }
    }

    public let dataset: CaptionDataset
    private let preprocessing: ImagePreprocessing
    private let augmentation: TrainingAugmentation?
    private let sounds: Sounds?
    private let extractor: AudioExtractor?
    private let sampling: CaptionSampling
    private let policy: BadInputPolicy
    private let seed: UInt64
    private let maximumSkippedFraction: Double
    private let tokenize: @Sendable ([String]) throws -> [[Int32]]
    private let cache: DecodedImageCache
    /// The items that are not used, and the sounds that are taken for absent, by their paths.
    private let failures = Mutex<[Failure: SkippedRow]>([:])

    /// What cannot be decoded.
    private struct Failure: Hashable {
        let item: Int
        /// Nil for the image.
        let sound: String?
    }

    /// - Parameters:
    ///   - augmentation: applied to every image in place of the preprocessing's resize and crop; nil for none.
    ///   - sounds: nil leaves sounds out.
    ///   - onBadInput: what becomes of a row whose image or sound cannot be decoded.
    ///   - cacheLimit: bytes of decoded images to keep in memory.
    ///   - maximumSkippedFraction: the largest part of the items that may turn out undecodable.
    ///   - tokenize: makes the ids of each text, special tokens included; called from several threads at once.
    /// - Throws: `.invalidDataset` for an empty dataset, `.invalidConfiguration` for impossible sampling.
    public init(
        dataset: CaptionDataset, preprocessing: ImagePreprocessing, augmentation: TrainingAugmentation? = nil,
        sounds: Sounds? = nil, sampling: CaptionSampling = .init(), onBadInput: BadInputPolicy = .skip, seed: UInt64,
        cacheLimit: Int = 512 << 20, maximumSkippedFraction: Double = 0.1,
        tokenize: @escaping @Sendable ([String]) throws -> [[Int32]]
    ) throws(ConcordError) {
        guard !dataset.items.isEmpty else {
            throw ConcordError(.invalidDataset, "\(dataset.captionFile) has no images to train on; check the split")
        }
        try sampling.validate(for: dataset)
        self.dataset = dataset
        self.preprocessing = preprocessing
        self.augmentation = augmentation
        self.sounds = sounds
        extractor = try sounds?.preprocessing.extractor()
        self.sampling = sampling
        policy = onBadInput
        self.seed = seed
        self.maximumSkippedFraction = maximumSkippedFraction
        self.tokenize = tokenize
        cache = DecodedImageCache(limit: cacheLimit)
    }

    /// Images and sounds that could not be decoded so far, in the order of the dataset.
    public var skipped: [SkippedRow] {
        failures.withLock { failures in
            failures.sorted { ($0.key.item, $0.key.sound ?? "") < ($1.key.item, $1.key.sound ?? "") }.map(\.value)
        }
    }

    /// The batch of the given items.
    ///
    /// - Parameters:
    ///   - indices: the items of the batch of all processes.
    ///   - rows: the places among them that this process takes; nil takes all.
    /// - Throws: `.tooManySkippedRows` when too many items cannot be decoded, `.invalidDataset` for one where the policy
    ///   says so, and what the tokenizer throws.
    public func batch(epoch: Int, indices: [Int], rows: Range<Int>? = nil) throws -> SampleBatch {
        let rows = rows ?? indices.indices
        let planned = Set(indices)
        let samples = try rows.map { try readSample(indices[$0], epoch: epoch, avoiding: planned) }
        var values: [Modality: SampleBatch.Values] = [:], presence: [Modality: [Int]] = [:]
        func add(_ modality: Modality, rows: [Int], _ make: ([Int]) throws -> SampleBatch.Values) rethrows {
            guard !rows.isEmpty else { return }
            values[modality] = try make(rows)
            if rows.count < samples.count { presence[modality] = rows }
        }
        add(.image, rows: samples.indices.filter { samples[$0].image != nil }) { present in
            pixels(present.map { (samples[$0], indices[rows.lowerBound + $0]) }, epoch: epoch)
        }
        add(.audio, rows: samples.indices.filter { !samples[$0].features.isEmpty }) { present in
            frames(present.map { samples[$0].features })
        }
        let captions = drawCaptions(epoch: epoch, indices: indices, rows: rows, replacements: samples.map(\.index))
        let present = samples.indices.filter { captions[0][$0] != nil }
        let texts = captions.map { view in present.compactMap { view[$0] } }
        try add(.text, rows: present) { _ in .tokens(try texts.map(tokenize)) }
        return SampleBatch(
            values: values, presence: presence, captions: texts, sampleIDs: samples.map(\.index), rows: rows)
    }

    /// Normalized pixels, `[rows, 3, size, size]`.
    ///
    /// - Parameter samples: with the items that their rows are planned for, by which they are augmented.
    private func pixels(_ samples: [(sample: Sample, planned: Int)], epoch: Int) -> SampleBatch.Values {
        let size = preprocessing.cropSize
        let length = 3 * size * size
        let pixels = [Float](unsafeUninitializedCapacity: samples.count * length) { buffer, filled in
            for (place, (sample, planned)) in samples.enumerated() {
                guard let image = sample.image else { continue }
                let target = UnsafeMutableBufferPointer(rebasing: buffer[place * length..<(place + 1) * length])
                if let augmentation {
                    var random = random(Stream.image, epoch, planned)
                    preprocessing.normalize(augmentation(image, size: size, random: &random), to: target)
                } else {
                    preprocessing.write(image, to: target)
                }
            }
            filled = buffer.count
        }
        return .numbers(pixels, shape: [3, size, size])
    }

    /// The features of sounds, as long as the longest.
    ///
    /// - Parameter features: `[row][view]`.
    private func frames(_ features: [[AudioFeatures]]) -> SampleBatch.Values {
        let all = features.flatMap(\.self), channels = all[0].channels, bins = all[0].bins
        let frames = all.reduce(0) { max($0, $1.frames) }
        var values = [Float](repeating: 0, count: all.count * channels * frames * bins)
        for (place, features) in all.enumerated() {
            for channel in 0..<channels {
                let start = (place * channels + channel) * frames * bins, length = features.frames * bins
                values.replaceSubrange(
                    start..<start + length, with: features.values[channel * length..<(channel + 1) * length])
            }
        }
        return .frames(
            values, views: features[0].count, shape: [channels, frames, bins], lengths: all.map(\.length))
    }

    /// The captions of the rows, `[view][row]`; nil in the rows that have none.
    ///
    /// To avoid duplicates a draw has to know those before it, also of the rows of other processes. It knows them as
    /// planned: whether an image can be decoded is known to the process that reads it alone.
    private func drawCaptions(epoch: Int, indices: [Int], rows: Range<Int>, replacements: [Int]) -> [[String?]] {
        let drawn = (sampling.avoidsDuplicateCaptions ? 0 : rows.lowerBound)..<rows.upperBound
        let captioned = drawn.filter { !dataset.items[indices[$0]].captions.isEmpty }
        let places = Dictionary(uniqueKeysWithValues: captioned.enumerated().map { ($1, $0) })
        var sources = captioned.map { random(Stream.caption, epoch, indices[$0]) }
        return (0..<sampling.captionsPerImage).map { view in
            let planned = sampling.texts(
                slot: view, items: captioned.map { dataset.items[indices[$0]] }, random: &sources)
            return rows.map { row in
                let replacement = replacements[row - rows.lowerBound]
                guard replacement != indices[row] else { return places[row].map { planned[$0] } }
                guard !dataset.items[replacement].captions.isEmpty else { return nil }
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

    // MARK: Decoding

    /// An item as its row has it.
    private struct Sample {
        let index: Int
        let image: Image?
        /// A view each; none where the item has no sound.
        let features: [AudioFeatures]
    }

    /// Item `index`, or, when it cannot be used, one drawn in its place.
    private func readSample(_ index: Int, epoch: Int, avoiding planned: Set<Int>) throws -> Sample {
        if let sample = try decoded(index, epoch: epoch) { return sample }
        var random = random(Stream.replacement, epoch, index)
        for attempt in 0..<64 {
            let candidate = random.index(below: dataset.items.count)
            // A small dataset may have no image that is not in the batch; then a repeated one has to do.
            if attempt < 32 && planned.contains(candidate) { continue }
            if let sample = try decoded(candidate, epoch: epoch) { return sample }
        }
        throw ConcordError(
            .invalidDataset, "no replacement was found for \(dataset.items[index].name); check the images and sounds")
    }

    /// The decoded item; nil when it cannot be used.
    private func decoded(_ index: Int, epoch: Int) throws(ConcordError) -> Sample? {
        let item = dataset.items[index]
        let image = try decodedImage(index)
        if image == nil, item.image != nil, policy != .absent { return nil }
        var features: [AudioFeatures] = []
        if let sounds, let extractor {
            var random = random(Stream.sound, epoch, index)
            for (view, sound) in sampling.sounds(of: item, random: &random).enumerated() {
                // Each view of an item is varied by itself.
                let key = index * sampling.soundsPerImage + view
                guard let heard = try decodedSound(sound, index, sounds, extractor, key: key, epoch: epoch) else {
                    if policy != .absent { return nil }
                    // All views of a row are there, or none.
                    features = []
                    break
                }
                features.append(heard)
            }
        }
        let isDeaf = sounds != nil && features.isEmpty && !item.trainedSounds.isEmpty
        let hasLost = isDeaf || image == nil && item.image != nil
        // What an item has left must be something that can be compared.
        let count = [image != nil, !features.isEmpty, !item.captions.isEmpty].count { $0 }
        return hasLost && count < 2 ? nil : Sample(index: index, image: image, features: features)
    }

    /// The decoded image; nil where the item has none, and when it cannot be decoded.
    private func decodedImage(_ index: Int) throws(ConcordError) -> Image? {
        guard let path = dataset.path(of: dataset.items[index]) else { return nil }
        if let image = cache[index] { return image }
        let failure = Failure(item: index, sound: nil)
        if failures.withLock({ $0[failure] != nil }) { return nil }
        do throws(ConcordError) {
            let image = try Image(contentsOf: path)
            cache.insert(image, at: index)
            return image
        } catch {
            // Anything but damaged pixels may pass by the next time, and the batches must not depend on that.
            guard error.code == .invalidImage else { throw error }
            try note(
                failure,
                SkippedRow(
                    file: dataset.captionFile, line: dataset.items[index].line, reason: .undecodableImage,
                    isPartial: policy == .absent, detail: error.message))
            return nil
        }
    }

    /// The features of a sound; nil when it cannot be decoded.
    private func decodedSound(
        _ sound: Sound, _ index: Int, _ sounds: Sounds, _ extractor: AudioExtractor, key: Int, epoch: Int
    ) throws(ConcordError) -> AudioFeatures? {
        let failure = Failure(item: index, sound: sound.path)
        if failures.withLock({ $0[failure] != nil }) { return nil }
        do throws(ConcordError) {
            var clip = try AudioDecoder.read(dataset.path(of: sound))
            if let augmentation = sounds.augmentation {
                clip = augmentation(clip, seed: seed, epoch: epoch, sampleID: key)
            }
            let features = try extractor(clip, sampleID: key, epoch: epoch).first(sounds.maximumFrames)
            return sounds.augmentation.map { $0(features, seed: seed, epoch: epoch, sampleID: key) } ?? features
        } catch {
            guard error.code == .invalidAudio else { throw error }
            try note(
                failure,
                SkippedRow(
                    file: sound.file, line: sound.line, reason: .undecodableSound, isPartial: policy == .absent,
                    detail: error.message))
            return nil
        }
    }

    /// Notes what cannot be decoded.
    private func note(_ failure: Failure, _ row: SkippedRow) throws(ConcordError) {
        guard policy != .fail else {
            throw ConcordError(
                .invalidDataset,
                "\(row.detail) (\(row.file) line \(row.line)); mend it, or choose data.on_bad_input skip or absent")
        }
        let count = failures.withLock { failures in
            failures[failure] = row
            return Set(failures.keys.map(\.item)).count
        }
        guard Double(count) <= maximumSkippedFraction * Double(dataset.items.count) else {
            throw SkippedRow.tooMany(
                skipped, of: dataset.items.count, noun: "items", in: dataset.captionFile,
                limit: maximumSkippedFraction)
        }
    }
}

/// First keys of the builder's random streams.
private enum Stream {
    static let image: UInt64 = 0x696D_6167
    static let caption: UInt64 = 0x6361_7074
    static let replacedCaption: UInt64 = 0x7263_6170
    static let replacement: UInt64 = 0x7265_706C
    static let sound: UInt64 = 0x736F_756E
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
