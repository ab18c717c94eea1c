import ConcordTensor

/// A block of rows of the score matrix of a batch: their place in the batch, and the labels and masks of their pairs.
public struct RowBlock {
    /// The rows' place in the batch; row `i` and column `i` are the two sides of sample `i`.
    public let rows: Range<Int>
    /// Labels of the rows, int64 `[rows]`; nil where each sample is a class of its own.
    let rowLabels: Tensor?
    /// Labels of all columns, int64 `[columns]`; nil where each sample is a class of its own.
    let columnLabels: Tensor?
    /// Whether the columns are the rows' own embeddings, so that a row is not compared with itself.
    let comparesWithItself: Bool
    /// Mask of the positives, bool `[rows, columns]`; nil leaves the choice to labels, or to the rows' own columns.
    let positives: Tensor?
    /// Mask of the pairs that are not compared, bool `[rows, columns]`; nil compares all.
    let ignored: Tensor?

    package init(
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

/// The effect of a label that several samples of a batch share.
public enum DuplicatePolicy: String, Sendable, CaseIterable {
    /// The samples are negatives of each other, as without labels.
    case negatives
    /// The pairs are left out, neither positive nor negative, as suits a caption that fits two images of the batch.
    case ignored
    /// The samples are positives of each other.
    case positives
}

extension RowBlock {
    /// Applies labels and masks: the rules of every loss.
    ///
    /// A row's positives are the columns that the mask names, else its own column. Columns with the row's label are
    /// then what the policy says. Ignored pairs, and a row and itself where the columns are the rows' own embeddings,
    /// are not compared.
    ///
    /// - Parameter columns: embeddings of the whole batch `[columns, width]`.
    public func pairs(with columns: Tensor, duplicates: DuplicatePolicy = .positives) -> BlockPairs {
        let device = columns.device
        let row = Tensor.arange(Double(rows.lowerBound), Double(rows.upperBound), device: device).unsqueezed(1)
        let own = row.equal(to: Tensor.arange(Double(columns.size(0)), device: device))
        var positives = self.positives ?? own
        var ignored = self.ignored
        if let rowLabels, let columnLabels {
            let same = rowLabels.unsqueezed(1).equal(to: columnLabels)
            switch duplicates {
            case .negatives: break
            case .positives: positives = self.positives?.logicalOr(same) ?? same
            case .ignored:
                let others = same.logicalAnd(positives.logicalNot())
                ignored = ignored?.logicalOr(others) ?? others
            }
        }
        if comparesWithItself { ignored = ignored?.logicalOr(own) ?? own }
        guard let compared = ignored?.logicalNot() else { return BlockPairs(positives: positives, compared: nil) }
        return BlockPairs(positives: positives.logicalAnd(compared), compared: compared)
    }
}

/// The pairs of a block of rows with all columns.
public struct BlockPairs {
    /// The positives, bool `[rows, columns]`.
    public let positives: Tensor
    /// The pairs that take part, bool `[rows, columns]`; nil for all.
    public let compared: Tensor?

    /// All pairs that take part but the positives, bool `[rows, columns]`; made anew at each use.
    public var negatives: Tensor {
        let others = positives.logicalNot()
        return compared.map { $0.logicalAnd(others) } ?? others
    }
}
