import ConcordCore
import ConcordTensor

/// A miner picks the informative triplets or pairs of a labeled batch.
///
/// A miner looks at a block of anchors at a time, so that its memory is the size of what it finds and of some rows of
/// the distance matrix. Indices come in row-major order: by anchor, then positive, then negative. Nothing is recorded
/// for gradients.
///
/// A positive has its anchor's label, and is not the anchor itself; a negative has another label.
public protocol Miner {
    associatedtype Indices: MinedIndices

    /// The triplets or pairs of some anchors.
    ///
    /// - Parameters:
    ///   - rows: the anchors' embeddings `[rows, width]`, at least float32.
    ///   - columns: embeddings of all candidates `[columns, width]`, of the same type.
    ///   - block: the rows' place in the batch, and the labels.
    /// - Returns: indices into the whole batch.
    func mine(rows: Tensor, columns: Tensor, block: RowBlock) -> Indices
}

extension Miner {
    /// Mines a batch: every embedding is an anchor, and a candidate for the others.
    ///
    /// - Parameters:
    ///   - embeddings: `[count, width]` of a floating-point type; half precision is compared in float32.
    ///   - labels: int64 `[count]`.
    /// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch` or `.nonFiniteValue`.
    public func callAsFunction(embeddings: Tensor, labels: Tensor) throws(ConcordError) -> Indices {
        try LossInput.checkEmbeddings(embeddings, "embeddings")
        try LossInput.checkLabels(labels, "labels", of: embeddings, "embeddings")
        return mineBlocks(
            anchors: embeddings, labels, candidates: embeddings, candidateLabels: labels, comparesWithItself: true)
    }

    /// Mines candidates of another modality, or of a memory of earlier batches.
    ///
    /// - Parameters:
    ///   - anchors: `[anchors, width]` of a floating-point type; half precision is compared in float32.
    ///   - anchorLabels: int64 `[anchors]`.
    ///   - candidates: `[candidates, width]` of the same type.
    ///   - candidateLabels: int64 `[candidates]`.
    /// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch` or `.nonFiniteValue`.
    public func callAsFunction(
        anchors: Tensor, anchorLabels: Tensor, candidates: Tensor, candidateLabels: Tensor
    ) throws(ConcordError) -> Indices {
        try LossInput.checkEmbeddings(anchors, "anchors")
        try LossInput.checkLabels(anchorLabels, "anchorLabels", of: anchors, "anchors")
        try LossInput.checkEmbeddings(candidates, "candidates")
        try LossInput.checkLabels(candidateLabels, "candidateLabels", of: candidates, "candidates")
        try LossInput.checkSameWidth(anchors, "anchors", candidates, "candidates")
        return mineBlocks(
            anchors: anchors, anchorLabels, candidates: candidates, candidateLabels: candidateLabels,
            comparesWithItself: false)
    }

    private func mineBlocks(
        anchors: Tensor, _ anchorLabels: Tensor, candidates: Tensor, candidateLabels: Tensor, comparesWithItself: Bool
    ) -> Indices {
        withoutGradient {
            withFullPrecision(on: anchors.device) {
                let (anchors, candidates) = (anchors.detached().precise, candidates.detached().precise)
                return Indices(
                    joining: RowRanges(rows: anchors.size(0), columns: candidates.size(0)).map { range in
                        let labels = anchorLabels.narrowed(axis: 0, from: range.lowerBound, count: range.count)
                        return mine(
                            rows: anchors.narrowed(axis: 0, from: range.lowerBound, count: range.count),
                            columns: candidates,
                            block: RowBlock(
                                rows: range, rowLabels: labels, columnLabels: candidateLabels,
                                comparesWithItself: comparesWithItself))
                    })
            }
        }
    }
}

/// The result of a miner, made block by block.
public protocol MinedIndices {
    /// Joins the results of several blocks of anchors, in their order.
    init(joining parts: [Self])
}

/// Triplets as places in a batch: row `i` of the three tensors is one triplet.
public struct TripletIndices {
    /// int64 `[count]`.
    public let anchors: Tensor
    /// int64 `[count]`.
    public let positives: Tensor
    /// int64 `[count]`.
    public let negatives: Tensor

    package init(anchors: Tensor, positives: Tensor, negatives: Tensor) {
        self.anchors = anchors
        self.positives = positives
        self.negatives = negatives
    }

    /// The number of triplets.
    package var count: Int { anchors.size(0) }
}

extension TripletIndices: MinedIndices {
    public init(joining parts: [TripletIndices]) {
        self.init(
            anchors: Tensor.concatenated(parts.map(\.anchors)), positives: Tensor.concatenated(parts.map(\.positives)),
            negatives: Tensor.concatenated(parts.map(\.negatives)))
    }
}

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

    package init(positiveAnchors: Tensor, positives: Tensor, negativeAnchors: Tensor, negatives: Tensor) {
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
