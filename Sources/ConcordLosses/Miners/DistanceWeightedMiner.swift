import ConcordCore
import ConcordTensor

/// Negatives drawn so that their distances are spread evenly (Wu et al. 2017, "Sampling Matters in Deep Embedding
/// Learning", section 4).
///
/// Embeddings are normalised. On a sphere nearly all points are √2 apart; a negative at distance D is drawn with a
/// probability proportional to the inverse of the density there, `D^(2−w) · (1 − D²/4)^((3−w)/2)` for width w. Each
/// positive pair draws one negative, as in the paper; PyTorch Metric Learning draws the positives too, as many as the
/// class has members. Positive pairs whose anchor has no negative with a weight are left out.
public struct DistanceWeightedMiner: Miner {
    /// Distances below count as this, so that near duplicates are not drawn all the time.
    public let cutoff: Double
    /// Negatives from here on are never drawn: their loss would be 0.
    public let nonzeroLossCutoff: Double
    /// Where the draws come from; on the embeddings' device.
    public let generator: Generator

    /// - Throws: `.invalidArgument` unless both cutoffs are finite and above 0, the first below the second.
    public init(cutoff: Double = 0.5, nonzeroLossCutoff: Double = 1.4, generator: Generator) throws(ConcordError) {
        try LossInput.checkPositive(cutoff, "cutoff")
        try LossInput.checkPositive(nonzeroLossCutoff, "nonzeroLossCutoff")
        guard cutoff < nonzeroLossCutoff else {
            throw ConcordError(
                .invalidArgument,
                "cutoff is \(cutoff); it must be below nonzeroLossCutoff, \(nonzeroLossCutoff), or nothing is drawn")
        }
        self.cutoff = cutoff
        self.nonzeroLossCutoff = nonzeroLossCutoff
        self.generator = generator
    }

    public func mine(rows: Tensor, columns: Tensor, block: RowBlock) -> TripletIndices {
        let weights = probabilities(rows: rows, columns: columns, block: block)
        let running = weights.cumulativeSum(axis: 1).contiguous()
        let pairs = BlockPairs(block, columns: columns)
        let places = pairs.positives.logicalAnd(weights.sum(axes: [1], keepingAxes: true).greater(than: 0)).nonzero()
        guard places.size(0) > 0 else { return .none(like: rows) }
        let (anchors, positives) = (places.selected(axis: 1, at: 0), places.selected(axis: 1, at: 1))  // [pairs]

        // As many draws for each row as the row with the most positives needs: [rows, most], then each pair takes one.
        let most = Int(pairs.positives.sum(axes: [1]).max().item())
        let total = running.sliced(axis: 1, from: -1)  // [rows, 1]
        // Below 1 by more than the rounding of the product, so that the search ends inside the row.
        let draws = Tensor.uniform(
            [rows.size(0), most], to: 1 - 0x1p-40, generator: generator, dtype: .float64, device: rows.device)
        let drawn = Tensor.callOperator(
            "aten::searchsorted.Tensor",
            [.tensor(running), .tensor((draws * total).contiguous()), .bool(false), .bool(true)])[0]
        let turn = pairs.positives.to(.int64).cumulativeSum(axis: 1) - 1
        return TripletIndices(
            anchors: anchors + Double(block.rows.lowerBound), positives: positives,
            negatives: drawn.indexed([anchors, turn.indexed([anchors, positives])]))
    }

    /// The probability of each column to be drawn as the negative of each row, float64 `[rows, columns]`; all 0 for a
    /// row that has none to draw.
    package func probabilities(rows: Tensor, columns: Tensor, block: RowBlock) -> Tensor {
        let width = Double(rows.size(1))
        let (rows, columns) = (rows.to(.float64).unitVectors, columns.to(.float64).unitVectors)
        let distances = EmbeddingDistance.euclidean().matrix(rows, columns).clamped(min: cutoff)
        let opposite = 1 - distances.square() / 4
        let logarithms = distances.log() * (2 - width) - opposite.log() * ((width - 3) / 2)
        // Two opposite vectors have no density to invert.
        let isDrawn = BlockPairs(block, columns: columns).negatives
            .logicalAnd(distances.less(than: nonzeroLossCutoff)).logicalAnd(opposite.greater(than: 0))
        let largest = logarithms.maskedFilled(isDrawn.logicalNot(), -.infinity).max(axes: [1], keepingAxes: true)
        // A row's largest weight is 1, so that a row never underflows as a whole.
        let weights = Tensor.where(isDrawn, (logarithms - largest).exp(), 0)
        return weights / weights.sum(axes: [1], keepingAxes: true).clamped(min: 1)
    }
}
