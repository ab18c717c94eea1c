import ConcordCore
import ConcordTensor

/// Each anchor's farthest positive with its nearest negative (Hermans et al. 2017), the first of equally far ones.
/// Anchors without either are left out.
public struct BatchHardMiner: Miner, Hashable, Sendable {
    public let distance: EmbeddingDistance

    /// - Throws: `.invalidArgument` for a p below 1.
    public init(distance: EmbeddingDistance = .euclidean()) throws(ConcordError) {
        try distance.check()
        self.distance = distance
    }

    public func mine(rows: Tensor, columns: Tensor, block: RowBlock) -> TripletIndices {
        let (positives, negatives) = ChosenPairs.choose(
            distance.matrix(rows, columns), BlockPairs(block, columns: columns), positive: .hard, negative: .hard)
        let kept = positives.isValid.logicalAnd(negatives.isValid).nonzero().selected(axis: 1, at: 0)
        return TripletIndices(
            anchors: kept + Double(block.rows.lowerBound),
            positives: positives.indices.squeezed(1).indexSelected(axis: 0, kept),
            negatives: negatives.indices.squeezed(1).indexSelected(axis: 0, kept))
    }
}
