import ConcordCore
import ConcordTensor

/// All valid triplets whose gap, the distance to the negative less that to the positive, a margin picks, as PyTorch
/// Metric Learning's `TripletMarginMiner` (which normalises embeddings; here the cosine distance alone does).
public struct TripletMiner: Miner, Hashable, Sendable {
    public let margin: Double
    public let difficulty: TripletDifficulty
    public let distance: EmbeddingDistance

    /// - Throws: `.invalidArgument` for a negative margin or a p below 1.
    public init(
        margin: Double = 0.2, difficulty: TripletDifficulty = .all, distance: EmbeddingDistance = .euclidean()
    ) throws(ConcordError) {
        try LossInput.checkNumber(margin, "margin", 0...)
        try distance.check()
        self.margin = margin
        self.difficulty = difficulty
        self.distance = distance
    }

    public func mine(rows: Tensor, columns: Tensor, block: RowBlock) -> TripletIndices {
        let distances = distance.matrix(rows, columns)
        let pairs = BlockPairs(block, columns: columns)
        let parts = PositivePairs.parts(pairs).map { part in
            let toColumns = distances.indexSelected(axis: 0, part.rows)  // [pairs, columns]
            let gaps = toColumns - toColumns.gathered(axis: 1, part.columns.unsqueezed(1))
            var chosen = pairs.negatives.indexSelected(axis: 0, part.rows)
            if let rule = difficulty.chooses(gaps: gaps, margin: margin) { chosen = chosen.logicalAnd(rule) }
            return part.triplets(chosen, block)
        }
        return TripletIndices(joining: [.none(like: rows)] + parts)
    }
}
