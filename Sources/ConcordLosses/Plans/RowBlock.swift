import ConcordTensor

/// A block of rows of the score matrix of a batch: which rows they are, and which columns belong to them.
public struct RowBlock {
    /// The rows' place in the batch; row `i` and column `i` are the two sides of sample `i`.
    public let rows: Range<Int>
    /// Labels of the rows, int64 `[rows]`; nil where each sample is a class of its own.
    public let rowLabels: Tensor?
    /// Labels of all columns, int64 `[columns]`; nil where each sample is a class of its own.
    public let columnLabels: Tensor?
    /// Whether the columns are the rows' own embeddings, so that a row is not compared with itself.
    public let comparesWithItself: Bool
    /// Which columns are positives of which rows, bool `[rows, columns]`; nil leaves that to labels and places.
    public var positives: Tensor?
    /// Which columns are left out of the comparison with which rows, bool `[rows, columns]`; nil leaves out none.
    public var ignored: Tensor?

    public init(
        rows: Range<Int>, rowLabels: Tensor?, columnLabels: Tensor?, comparesWithItself: Bool,
        positives: Tensor? = nil, ignored: Tensor? = nil
    ) {
        self.rows = rows
        self.rowLabels = rowLabels
        self.columnLabels = columnLabels
        self.comparesWithItself = comparesWithItself
        self.positives = positives
        self.ignored = ignored
    }
}

extension RowBlock {
    /// Where row and column are the same sample, bool `[rows, columns]`.
    func ownColumns(count columns: Int, device: Device) -> Tensor {
        let row = Tensor.arange(Double(rows.lowerBound), Double(rows.upperBound), device: device).unsqueezed(1)
        return row.equal(to: Tensor.arange(Double(columns), device: device))
    }

    /// Where row and column have the same label, bool `[rows, columns]`; nil without labels.
    var sameLabels: Tensor? {
        guard let rowLabels, let columnLabels else { return nil }
        return rowLabels.unsqueezed(1).equal(to: columnLabels)
    }
}
