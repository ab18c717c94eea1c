import ConcordCore
import ConcordData
import ConcordMedia
import ConcordModels
import ConcordTensor

/// The unit vectors of sounds that can be decoded.
struct SoundGallery {
    /// `[sounds, width]`, float32.
    let vectors: Tensor
    /// The places of the sounds in the list they were given in.
    let kept: [Int]
    let skipped: [SkippedInput]

    /// Decodes on other threads while the model embeds.
    ///
    /// - Throws: as `EmbeddingModel.audioSide()`; `.tooManySkippedRows` when more of the sounds cannot be decoded than
    ///   allowed.
    init(
        model: EmbeddingModel, paths: [String], maximumSkippedFraction: Double = 0.1, batchSize: Int = 64,
        progress: ProgressDisplay? = nil
    ) throws {
        let extractor = try model.audioSide().preprocessing.extractor()
        let batches = stride(from: 0, to: paths.count, by: batchSize).map { $0..<min($0 + batchSize, paths.count) }
        let loader = PrefetchLoader(batches: 0..<batches.count) { index in
            SoundBatch(batches[index].map { paths[$0] }, extractor)
        }
        var blocks: [Tensor] = [], kept: [Int] = [], skipped: [SkippedInput] = []
        for range in batches {
            guard let batch = try loader.next(unless: { InterruptSignal.hasArrived }) else { break }
            skipped += batch.failures.map {
                SkippedInput(
                    index: range.lowerBound + $0.row, path: paths[range.lowerBound + $0.row], reason: $0.error.message)
            }
            blocks.append(try model.embed(features: batch.features, batchSize: batchSize))
            kept += batch.rows.map { range.lowerBound + $0 }
            progress?.show(done: range.upperBound, of: paths.count)
        }
        try InterruptSignal.check()
        progress?.finish()
        guard Double(skipped.count) <= maximumSkippedFraction * Double(paths.count) else {
            throw ConcordError(
                .tooManySkippedRows,
                "\(skipped.count) of \(paths.count) sounds cannot be read, more than allowed; the first: "
                    + (skipped.first?.reason ?? ""))
        }
        vectors = blocks.isEmpty ? .zeros([0, model.encoder.embeddingWidth]) : .concatenated(blocks)
        self.kept = kept
        self.skipped = skipped
    }
}

/// A batch of sounds, decoded and made into features.
struct SoundBatch: Sendable {
    private(set) var features: [AudioFeatures] = []
    /// The rows of the sounds that could be decoded.
    private(set) var rows: [Int] = []
    private(set) var failures: [(row: Int, error: ConcordError)] = []

    init(_ paths: [String], _ extractor: AudioExtractor) {
        for (row, path) in paths.enumerated() {
            do throws(ConcordError) {
                features.append(try extractor(AudioDecoder.read(path)))
                rows.append(row)
            } catch { failures.append((row, error)) }
        }
    }
}
