import ConcordCore
import ConcordTensor

/// Hard, semi-hard, easy or all positives and negatives of each anchor (Xuan et al. 2020, "Improved Embeddings with Easy
/// Positive Triplet Mining"), as PyTorch Metric Learning's `BatchEasyHardMiner`.
///
/// Where one side is chosen for each anchor, it is the first of equally far ones; where both are, anchors that lack
/// either are left out.
public struct BatchEasyHardMiner: Miner, Hashable, Sendable {
    public let positive: PairChoice
    public let negative: PairChoice
    public let distance: EmbeddingDistance

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
        let pairs = BlockPairs(block, columns: columns)
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
