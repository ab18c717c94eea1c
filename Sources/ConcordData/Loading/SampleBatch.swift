import ConcordCore

/// The samples of a step as the loader's threads make them: for each modality, values in host memory.
public struct SampleBatch: Sendable {
    /// The values of one modality, one row for each sample that has it.
    public enum Values: Sendable, Hashable {
        /// Float32 numbers `[rows] + shape` in row-major order.
        case numbers([Float], shape: [Int])
        /// Token ids of several texts of each row, `[view][row]`, special tokens included, without padding.
        case tokens([[[Int32]]])
    }

    /// The values of each modality.
    package let values: [Modality: Values]
    /// The texts behind the tokens: `[view][row]`.
    public let captions: [[String]]
    /// The indices of the data set's items, after replacement of those that cannot be read.
    package let sampleIDs: [Int]
    /// The places of these rows in the batch of all processes.
    package let rows: Range<Int>

    /// Number of samples.
    public var count: Int { sampleIDs.count }

    /// The values of a modality; nil where no sample has it.
    public subscript(modality: Modality) -> Values? { values[modality] }
}
