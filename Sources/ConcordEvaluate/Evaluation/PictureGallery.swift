import ConcordCore
import ConcordData
import ConcordMedia
import ConcordTensor
import Foundation

/// The unit vectors of all pictures of a data set that can be decoded.
public struct PictureGallery {
    /// The pictures, in the data set's order.
    public let items: [CaptionItem]
    /// `[items, width]`, float32.
    public let vectors: Tensor
    /// Pictures that could not be read, by their places in the data set.
    public let skipped: [SkippedInput]

    /// Decodes on other threads while the model embeds.
    ///
    /// - Parameter maximumSkippedFraction: the largest share of pictures that may be unreadable.
    /// - Throws: `.tooManySkippedRows` as soon as it is exceeded; as `EmbeddingModel.imageSide()`.
    public init(
        model: EmbeddingModel, dataset: CaptionDataset, maximumSkippedFraction: Double = 0.1, batchSize: Int = 128,
        progress: ProgressDisplay? = nil
    ) throws {
        let items = dataset.items, preprocessing = try model.imageSide().preprocessing
        let batches = stride(from: 0, to: items.count, by: batchSize).map { $0..<min($0 + batchSize, items.count) }
        let loader = PrefetchLoader(batches: 0..<batches.count) { index in
            DecodedBatch(batches[index].map { dataset.path(of: items[$0]) }, preprocessing)
        }
        var blocks = [Tensor](), kept = [CaptionItem](), skipped = [SkippedInput]()
        for range in batches {
            guard let batch = try loader.next(unless: { InterruptSignal.hasArrived }) else { break }
            skipped += batch.failures.map { failure in
                let index = range.lowerBound + failure.row
                return SkippedInput(index: index, path: items[index].image, reason: failure.error.message)
            }
            guard Double(skipped.count) <= maximumSkippedFraction * Double(items.count) else {
                throw Self.tooMany(skipped, of: items.count)
            }
            if !batch.rows.isEmpty { blocks.append(try model.embed(pixels: batch.pixels, count: batch.rows.count)) }
            kept += batch.rows.map { items[range.lowerBound + $0] }
            progress?.show(done: range.upperBound, of: items.count)
        }
        try InterruptSignal.check()
        progress?.finish()
        guard !kept.isEmpty else { throw Self.tooMany(skipped, of: items.count) }
        if let first = skipped.first {
            progress?.print(
                "\(skipped.count) of \(items.count) pictures cannot be read and are left out, the first: \(first.reason)"
            )
        }
        self.items = kept
        self.skipped = skipped
        vectors = Tensor.concatenated(blocks)
    }

    private static func tooMany(_ skipped: [SkippedInput], of count: Int) -> ConcordError {
        ConcordError(
            .tooManySkippedRows,
            "\(skipped.count) pictures of \(count) cannot be read, too many to go on; the first: "
                + (skipped.first?.reason ?? "the data set is empty"))
    }
}
