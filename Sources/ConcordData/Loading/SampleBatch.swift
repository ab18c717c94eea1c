import ConcordCore

/// The samples of a step as the loader's threads make them: for each modality, values in host memory.
public struct SampleBatch: Sendable {
    /// The values of one modality, one row for each sample that has it.
    public enum Values: Sendable, Hashable {
        /// Float32 numbers `[rows] + shape` in row-major order.
        case numbers([Float], shape: [Int])
        /// Token ids of several texts of each row, `[view][row]`, special tokens included, without padding.
        case tokens([[[Int32]]])
        /// Features of several sounds of each row, float32 `[rows, views] + shape` in row-major order, where `shape` is
        /// `[channels, frames, bins]`, and the frames of each that are no padding: `[row · views + view]`.
        case frames([Float], views: Int, shape: [Int], lengths: [Int])
    }

    /// The values of each modality.
    package let values: [Modality: Values]
    /// The rows that have a modality, ascending; no entry for a modality that all have.
    private let presence: [Modality: [Int]]
    /// The texts behind the tokens, of the rows that have some: `[view][row]`.
    public let captions: [[String]]
    /// The indices of the data set's items, after replacement of those that cannot be read.
    package let sampleIDs: [Int]
    /// The places of these rows in the batch of all processes.
    package let rows: Range<Int>

    /// - Parameter presence: the rows that have a modality, where not all do.
    package init(
        values: [Modality: Values], presence: [Modality: [Int]] = [:], captions: [[String]], sampleIDs: [Int],
        rows: Range<Int>
    ) {
        self.values = values
        self.presence = presence
        self.captions = captions
        self.sampleIDs = sampleIDs
        self.rows = rows
    }

    /// Number of samples.
    public var count: Int { sampleIDs.count }

    /// The values of a modality; nil where no sample has it.
    public subscript(modality: Modality) -> Values? { values[modality] }

    /// The rows that have a modality, in ascending order; nil where all have.
    public func rows(with modality: Modality) -> [Int]? { presence[modality] }
}
