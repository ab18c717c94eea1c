import ConcordCore
import ConcordTensor

/// The samples of a training step: for each modality of an open set, the values of the rows that have it.
///
/// A row without a modality is in none of its lists; there are no placeholder values.
/// ```swift
/// let batch = try Batch([.image: ModalityBatch(pixels), .text: ModalityBatch(ids, lengths: lengths)])
/// ```
public struct Batch {
    /// Rows of this process.
    public let count: Int
    /// What the data set calls each row.
    public let sampleIDs: [Int]
    /// The place of the first row in the batch of all processes.
    public let firstRow: Int
    private let modalities: [Modality: ModalityBatch]

    /// - Parameters:
    ///   - count: the number of rows; nil takes that of a modality whose rows are not listed, or the last row listed.
    ///   - sampleIDs: one for each row; nil numbers the rows.
    ///   - firstRow: the place of the first row in the batch of all processes.
    /// - Throws: `.shapeMismatch` for modalities that do not fit the number of rows.
    public init(
        _ modalities: [Modality: ModalityBatch], count: Int? = nil, sampleIDs: [Int]? = nil, firstRow: Int = 0
    ) throws(ConcordError) {
        let whole = modalities.values.filter { $0.rows == nil }.map { $0.values.size(0) }
        let count = count ?? whole.max() ?? (modalities.values.compactMap { $0.rows?.last }.max() ?? -1) + 1
        for (modality, values) in modalities.sorted(by: { $0.key < $1.key }) { try values.check(modality, count) }
        if let sampleIDs, sampleIDs.count != count {
            throw ConcordError(.shapeMismatch, "\(sampleIDs.count) sample IDs for a batch of \(count) rows")
        }
        self.count = count
        self.sampleIDs = sampleIDs ?? Array(firstRow..<firstRow + count)
        self.firstRow = firstRow
        self.modalities = modalities
    }

    /// The values of a modality; nil where no row has it.
    public subscript(modality: Modality) -> ModalityBatch? { modalities[modality] }

    /// The rows that have all of some modalities, in order.
    package func rows(with modalities: [Modality]) -> [Int] {
        var rows = Array(0..<count)
        for modality in modalities {
            guard let values = self[modality] else { return [] }
            guard let listed = values.rows else { continue }
            let known = Set(listed)
            rows.removeAll { !known.contains($0) }
        }
        return rows
    }
}

/// The values of one modality in a batch.
public struct ModalityBatch {
    /// `[rows, views, …]`: the values of each row that has the modality, of any dtype and on any device.
    public let values: Tensor
    /// How much of each value is no padding, int64 `[rows, views]`; nil when all is.
    public let lengths: Tensor?
    /// The places of the rows in the batch, in ascending order; nil for all.
    public let rows: [Int]?
    /// Equal numbers for values that say the same, such as captions that read alike: int64 `[rows, views]`.
    public let groups: Tensor?
    /// Whether the values are unit vectors of a tower that does not train, instead of its inputs.
    public let isEmbedded: Bool

    /// - Parameters:
    ///   - values: `[rows, …]`; with `hasViews`, `[rows, views, …]`: several values of each row, such as captions.
    ///   - lengths: int64, as many as values.
    ///   - groups: int64, as many as values.
    public init(
        _ values: Tensor, lengths: Tensor? = nil, rows: [Int]? = nil, groups: Tensor? = nil, hasViews: Bool = false,
        isEmbedded: Bool = false
    ) {
        self.values = hasViews ? values : values.unsqueezed(1)
        self.lengths = lengths.map { hasViews ? $0 : $0.unsqueezed(1) }
        self.rows = rows
        self.groups = groups.map { hasViews ? $0 : $0.unsqueezed(1) }
        self.isEmbedded = isEmbedded
    }

    /// Values of each row.
    public var views: Int { values.size(1) }

    fileprivate func check(_ modality: Modality, _ count: Int) throws(ConcordError) {
        let present = rows?.count ?? count
        guard values.rank > 1, values.size(0) == present else {
            throw ConcordError(
                .shapeMismatch,
                "the values of \(modality) have shape \(values.shape); \(present) of the batch's \(count) rows have it, "
                    + "so it must be [\(present), views, …]")
        }
        if let rows, zip([-1] + rows, rows).contains(where: { $0 >= $1 }) || rows.last.map({ $0 >= count }) == true {
            throw ConcordError(
                .invalidArgument,
                "the rows of \(modality) are \(rows); they must ascend, and be below the batch's \(count)")
        }
        for case let (name, numbers?) in [("lengths", lengths), ("groups", groups)]
        where numbers.shape != Array(values.shape.prefix(2)) || numbers.dtype != .int64 {
            throw ConcordError(
                .shapeMismatch,
                "the \(name) of \(modality) are \(numbers.dtype.rawValue) of shape \(numbers.shape); they must be int64 "
                    + "\(Array(values.shape.prefix(2)))")
        }
    }
}
