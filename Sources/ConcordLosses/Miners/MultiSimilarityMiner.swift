import ConcordCore
import ConcordTensor

/// Pairs that are informative beside the anchor's other ones (Wang et al. 2019, "Multi-Similarity Loss", section 3.3).
///
/// With cosine similarities s, a positive is kept where `s − ε` is below the anchor's largest negative one, a negative
/// where `s + ε` is above the anchor's smallest positive one; both strictly, as PyTorch Metric Learning's. An anchor
/// that lacks one of the two keeps none. Embeddings are normalised.
public struct MultiSimilarityMiner: Miner, Hashable, Sendable {
    public let epsilon: Double

    /// - Throws: `.invalidArgument` unless epsilon is finite and at least 0.
    public init(epsilon: Double = 0.1) throws(ConcordError) {
        try LossInput.checkNumber(epsilon, "epsilon", 0...)
        self.epsilon = epsilon
    }

    public func mine(rows: Tensor, columns: Tensor, block: RowBlock) -> PairIndices {
        let similarities = rows.unitVectors.matmul(columns.unitVectors.transposed(0, 1))
        let pairs = BlockPairs(block, columns: columns)
        let nearestNegative = similarities.maskedFilled(pairs.negatives.logicalNot(), -.infinity)
            .max(axes: [1], keepingAxes: true)
        let farthestPositive = similarities.maskedFilled(pairs.positives.logicalNot(), .infinity)
            .min(axes: [1], keepingAxes: true)
        return PairIndices(
            positives: pairs.positives.logicalAnd((similarities - epsilon).less(than: nearestNegative)),
            negatives: pairs.negatives.logicalAnd((similarities + epsilon).greater(than: farthestPositive)),
            block: block)
    }
}
