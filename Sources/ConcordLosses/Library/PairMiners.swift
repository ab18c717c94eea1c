import ConcordCore
import ConcordTensor

/// Hard, semi-hard, easy or all positives and negatives of each anchor (Xuan et al. 2020, "Improved Embeddings with
/// Easy Positive Triplet Mining"), as PyTorch Metric Learning's `BatchEasyHardMiner`.
///
/// Of equally far candidates the first is chosen. Where both sides are chosen for each anchor, anchors that lack either
/// are left out.
public struct BatchEasyHardMiner: Miner, Hashable, Sendable {
    package let positive: PairChoice
    package let negative: PairChoice
    package let distance: EmbeddingDistance

    /// - Throws: `.invalidArgument` for a p below 1, or where one side is semi-hard and the other semi-hard or all.
    public init(
        positive: PairChoice = .easy, negative: PairChoice = .semiHard, distance: EmbeddingDistance = .euclidean()
    ) throws(ConcordError) {
        try TripletMining.check(positive: positive, negative: negative)
        try distance.check()
        self.positive = positive
        self.negative = negative
        self.distance = distance
    }

    public func mine(rows: Tensor, columns: Tensor, block: RowBlock) -> PairIndices {
        let pairs = block.pairs(with: columns)
        let chosen = ChosenPairs.choose(
            distance.matrix(rows, columns), pairs, positive: positive, negative: negative)
        var (positives, negatives) = (chosen.positives, chosen.negatives)
        if positive != .all, negative != .all {
            positives.isValid = positives.isValid.logicalAnd(negatives.isValid)
            negatives.isValid = positives.isValid
        }
        let none = Tensor.zeros(pairs.positives.shape, dtype: .bool, device: rows.device)
        func mask(_ chosen: ChosenPairs) -> Tensor { none.scattered(axis: 1, chosen.indices, chosen.isValid) }
        return PairIndices(
            positives: positive == .all ? pairs.positives : mask(positives),
            negatives: negative == .all ? pairs.negatives : mask(negatives), block: block)
    }
}

/// Pairs that are informative compared with the anchor's other pairs (Wang et al. 2019, "Multi-Similarity Loss",
/// section 3.3).
///
/// With cosine similarities s, a positive is kept where `s − ε` is below the anchor's largest negative one, a negative
/// where `s + ε` is above the anchor's smallest positive one; both strictly, as PyTorch Metric Learning's. An anchor
/// that lacks one of the two keeps none. Embeddings are normalized.
public struct MultiSimilarityMiner: Miner, Hashable, Sendable {
    package let epsilon: Double

    /// - Throws: `.invalidArgument` unless epsilon is finite and at least 0.
    public init(epsilon: Double = 0.1) throws(ConcordError) {
        try LossInput.checkNumber(epsilon, "epsilon", 0...)
        self.epsilon = epsilon
    }

    public func mine(rows: Tensor, columns: Tensor, block: RowBlock) -> PairIndices {
        let similarities = rows.unitVectors.matmul(columns.unitVectors.transposed(0, 1))
        let pairs = block.pairs(with: columns)
        let negatives = pairs.negatives
        let nearestNegative = similarities.maskedFilled(negatives.logicalNot(), -.infinity)
            .max(axes: [1], keepingAxes: true)
        let farthestPositive = similarities.maskedFilled(pairs.positives.logicalNot(), .infinity)
            .min(axes: [1], keepingAxes: true)
        return PairIndices(
            positives: pairs.positives.logicalAnd((similarities - epsilon).less(than: nearestNegative)),
            negatives: negatives.logicalAnd((similarities + epsilon).greater(than: farthestPositive)),
            block: block)
    }
}
