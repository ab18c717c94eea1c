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
    /// Pictures that could not be decoded, and why.
    public let failures: [(image: String, problem: String)]

    /// Decodes on other threads while the model embeds.
    ///
    /// - Parameter maximumSkippedFraction: the largest share of pictures that may be undecodable.
    /// - Throws: `.tooManySkippedRows` when it is exceeded.
    public init(
        model: EmbeddingModel, dataset: CaptionDataset, maximumSkippedFraction: Double = 0.1, batchSize: Int = 128,
        progress: ProgressDisplay? = nil
    ) throws {
        let items = dataset.items, preprocessing = try model.imageSide().preprocessing
        let batches = stride(from: 0, to: items.count, by: batchSize).map { $0..<min($0 + batchSize, items.count) }
        let loader = PrefetchLoader(batches: 0..<batches.count) { index in
            DecodedBatch(batches[index].map { dataset.path(of: items[$0]) }, preprocessing)
        }
        var blocks = [Tensor](), kept = [CaptionItem](), failures = [(image: String, problem: String)]()
        for range in batches {
            guard let batch = try loader.next() else { break }
            if !batch.rows.isEmpty { blocks.append(try model.embed(pixels: batch.pixels, count: batch.rows.count)) }
            kept += batch.rows.map { items[range.lowerBound + $0] }
            failures += batch.failures.map { (items[range.lowerBound + $0.row].image, $0.problem) }
            progress?.show(done: range.upperBound, of: items.count)
        }
        progress?.finish()
        guard Double(failures.count) <= maximumSkippedFraction * Double(items.count), !kept.isEmpty else {
            throw ConcordError(
                .tooManySkippedRows,
                "\(failures.count) of \(items.count) pictures cannot be decoded, the first: "
                    + (failures.first?.problem ?? "the data set is empty"))
        }
        if let first = failures.first {
            progress?.print(
                "\(failures.count) pictures cannot be decoded and are left out, the first: \(first.problem)")
        }
        self.items = kept
        self.failures = failures
        vectors = Tensor.concatenated(blocks)
    }
}
