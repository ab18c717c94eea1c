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

    public init(rows: Range<Int>, rowLabels: Tensor?, columnLabels: Tensor?, comparesWithItself: Bool) {
        self.rows = rows
        self.rowLabels = rowLabels
        self.columnLabels = columnLabels
        self.comparesWithItself = comparesWithItself
    }
}
