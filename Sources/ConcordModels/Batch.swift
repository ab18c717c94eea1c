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
    /// The pass over the data that the batch belongs to, from 0: with the sample IDs it keys what is drawn for a sample.
    public let epoch: Int
    private let modalities: [Modality: ModalityBatch]

    /// - Parameters:
    ///   - count: the number of rows; nil takes that of a modality whose rows are not listed, or the last row listed.
    ///   - sampleIDs: one for each row; nil numbers the rows.
    ///   - firstRow: the place of the first row in the batch of all processes.
    ///   - epoch: the pass over the data, from 0.
    /// - Throws: `.shapeMismatch` for modalities that do not fit the number of rows.
    public init(
        _ modalities: [Modality: ModalityBatch], count: Int? = nil, sampleIDs: [Int]? = nil, firstRow: Int = 0,
        epoch: Int = 0
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
        self.epoch = epoch
        self.modalities = modalities
    }

    /// The batch with some of its modalities alone.
    public func keeping(_ wanted: [Modality]) throws(ConcordError) -> Batch {
        try Batch(
            modalities.filter { wanted.contains($0.key) }, count: count, sampleIDs: sampleIDs, firstRow: firstRow,
            epoch: epoch)
    }

    /// Some of the rows, of some modalities, which all of these rows have.
    package func selecting(rows: [Int], keeping wanted: [Modality]) throws(ConcordError) -> Batch {
        var parts = [Modality: ModalityBatch]()
        for modality in wanted { parts[modality] = self[modality]?.selecting(rows: rows) }
        return try Batch(parts, count: rows.count, sampleIDs: rows.map { sampleIDs[$0] }, epoch: epoch)
    }

    /// The modalities that some row has, in order of their names.
    public var present: [Modality] { modalities.keys.sorted() }

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
    public private(set) var values: Tensor
    /// How much of each value is no padding, int64 `[rows, views]`; nil when all is.
    public private(set) var lengths: Tensor?
    /// The places of the rows in the batch, in ascending order; nil for all.
    public private(set) var rows: [Int]?
    /// Equal numbers for values that say the same, such as captions that read alike: int64 `[rows, views]`.
    public private(set) var groups: Tensor?
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

    /// The values of some rows of the batch, which all have the modality.
    fileprivate func selecting(rows wanted: [Int]) -> ModalityBatch {
        var part = self
        let own = rows ?? Array(0..<values.size(0))
        let places = Dictionary(uniqueKeysWithValues: own.enumerated().map { ($1, Int64($0)) })
        let indices = Tensor(wanted.compactMap { places[$0] })
        func select(_ tensor: Tensor) -> Tensor { tensor.indexSelected(axis: 0, indices.to(tensor.device)) }
        part.values = select(values)
        part.lengths = lengths.map(select)
        part.groups = groups.map(select)
        part.rows = nil
        return part
    }

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
