import ConcordCore
import ConcordTensor

/// Positive and negative pairs as places in a batch; the two kinds need not be equally many.
public struct PairIndices {
    /// The anchors of the positive pairs, int64 `[positive pairs]`.
    public let positiveAnchors: Tensor
    /// int64 `[positive pairs]`.
    public let positives: Tensor
    /// The anchors of the negative pairs, int64 `[negative pairs]`.
    public let negativeAnchors: Tensor
    /// int64 `[negative pairs]`.
    public let negatives: Tensor

    public init(positiveAnchors: Tensor, positives: Tensor, negativeAnchors: Tensor, negatives: Tensor) {
        self.positiveAnchors = positiveAnchors
        self.positives = positives
        self.negativeAnchors = negativeAnchors
        self.negatives = negatives
    }

    /// The pairs that two masks `[rows, columns]` name, in the order of rows, then of columns.
    init(positives: Tensor, negatives: Tensor, block: RowBlock) {
        let (first, second) = (positives.nonzero(), negatives.nonzero())  // [pairs, 2]
        self.init(
            positiveAnchors: first.selected(axis: 1, at: 0) + Double(block.rows.lowerBound),
            positives: first.selected(axis: 1, at: 1),
            negativeAnchors: second.selected(axis: 1, at: 0) + Double(block.rows.lowerBound),
            negatives: second.selected(axis: 1, at: 1))
    }
}

extension PairIndices: MinedIndices {
    public init(joining parts: [PairIndices]) {
        self.init(
            positiveAnchors: Tensor.concatenated(parts.map(\.positiveAnchors)),
            positives: Tensor.concatenated(parts.map(\.positives)),
            negativeAnchors: Tensor.concatenated(parts.map(\.negativeAnchors)),
            negatives: Tensor.concatenated(parts.map(\.negatives)))
    }
}
