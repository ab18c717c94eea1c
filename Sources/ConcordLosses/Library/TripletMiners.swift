import ConcordCore
import ConcordTensor
import Foundation

/// All valid triplets whose gap, the distance to the negative less that to the positive, a margin picks, as PyTorch
/// Metric Learning's `TripletMarginMiner` (which normalizes embeddings; here only the cosine distance does).
public struct TripletMiner: Miner, Hashable, Sendable {
    package let margin: Double
    package let difficulty: TripletDifficulty
    package let distance: EmbeddingDistance

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
        let pairs = block.pairs(with: columns), negatives = pairs.negatives
        let parts = PositivePairs.parts(pairs).map { part in
            let toColumns = distances.indexSelected(axis: 0, part.rows)  // [pairs, columns]
            let gaps = toColumns - toColumns.gathered(axis: 1, part.columns.unsqueezed(1))
            var chosen = negatives.indexSelected(axis: 0, part.rows)
            if let rule = difficulty.chooses(gaps: gaps, margin: margin) { chosen = chosen.logicalAnd(rule) }
            return part.triplets(chosen, block)
        }
        return TripletIndices(joining: [.none(like: rows)] + parts)
    }
}

/// Each anchor's farthest positive with its nearest negative (Hermans et al. 2017), the first of equally far ones.
/// Anchors without either are left out.
public struct BatchHardMiner: Miner, Hashable, Sendable {
    package let distance: EmbeddingDistance

    /// - Throws: `.invalidArgument` for a p below 1.
    public init(distance: EmbeddingDistance = .euclidean()) throws(ConcordError) {
        try distance.check()
        self.distance = distance
    }

    public func mine(rows: Tensor, columns: Tensor, block: RowBlock) -> TripletIndices {
        let (positives, negatives) = ChosenPairs.choose(
            distance.matrix(rows, columns), block.pairs(with: columns), positive: .hard, negative: .hard)
        let kept = positives.isValid.logicalAnd(negatives.isValid).nonzero().selected(axis: 1, at: 0)
        return TripletIndices(
            anchors: kept + Double(block.rows.lowerBound),
            positives: positives.indices.squeezed(1).indexSelected(axis: 0, kept),
            negatives: negatives.indices.squeezed(1).indexSelected(axis: 0, kept))
    }
}

/// Negatives drawn so that their distances are spread evenly (Wu et al. 2017, "Sampling Matters in Deep Embedding
/// Learning", section 4).
///
/// Embeddings are normalized. On a sphere nearly all points are √2 apart; a negative at distance D is drawn with a
/// probability proportional to the inverse of the density there, `D^(2−w) · (1 − D²/4)^((3−w)/2)` for width w. Each
/// positive pair draws one negative, as in the paper; PyTorch Metric Learning draws the positives too, as many as the
/// class has members. Positive pairs whose anchor has no negative with a weight are left out.
public struct DistanceWeightedMiner: Miner {
    /// Distances below count as this, so that near duplicates are not drawn all the time.
    package let cutoff: Double
    /// Negatives from here on are never drawn: their loss would be 0.
    package let nonzeroLossCutoff: Double
    /// The source of the draws, on the embeddings' device.
    package let generator: Generator

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
        let pairs = block.pairs(with: columns)
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
        let isDrawn = block.pairs(with: columns).negatives
            .logicalAnd(distances.less(than: nonzeroLossCutoff)).logicalAnd(opposite.greater(than: 0))
        let largest = logarithms.maskedFilled(isDrawn.logicalNot(), -.infinity).max(axes: [1], keepingAxes: true)
        // A row's largest weight is 1, so that a row never underflows as a whole.
        let weights = Tensor.where(isDrawn, (logarithms - largest).exp(), 0)
        return weights / weights.sum(axes: [1], keepingAxes: true).clamped(min: 1)
    }
}

/// Triplets with a wide angle at the negative (Wang et al. 2017, "Deep Metric Learning with Angular Loss"):
/// `atan(‖a − p‖ / (2 · ‖n − c‖))` is above a limit, where c is midway between anchor and positive.
///
/// As in PyTorch Metric Learning's `AngularMiner`, embeddings are compared as they are, and 1e-6 is added to each
/// difference. Time grows with positive pairs · candidates · width.
public struct AngularMiner: Miner, Hashable, Sendable {
    /// The limit in degrees.
    package let angle: Double

    /// - Parameter angle: in degrees, at least 0. No triplet is at 90 or more.
    /// - Throws: `.invalidArgument` unless the angle is finite and at least 0.
    public init(angle: Double = 20) throws(ConcordError) {
        try LossInput.checkNumber(angle, "angle", 0...)
        self.angle = angle
    }

    public func mine(rows: Tensor, columns: Tensor, block: RowBlock) -> TripletIndices {
        let pairs = block.pairs(with: columns), negatives = pairs.negatives
        let distance = EmbeddingDistance.euclidean()
        let parts = PositivePairs.parts(pairs).map { part in
            let anchors = rows.indexSelected(axis: 0, part.rows)  // [pairs, width]
            let positives = columns.indexSelected(axis: 0, part.columns)
            let apart = distance.paired(anchors, positives).unsqueezed(1)  // [pairs, 1]
            // The negative less the center, plus 1e-6.
            let toCenter = distance.matrix((anchors + positives) / 2 - 1e-6, columns)  // [pairs, columns]
            let wide = (apart / (toCenter * 2)).atan().greater(than: angle * Double.pi / 180)
            return part.triplets(negatives.indexSelected(axis: 0, part.rows).logicalAnd(wide), block)
        }
        return TripletIndices(joining: [.none(like: rows)] + parts)
    }
}

extension Tensor {
    fileprivate func atan() -> Tensor { Tensor.callOperator("aten::atan", [.tensor(self)])[0] }
}

/// The positive pairs of a block of anchors, some at a time, each to be looked at with all columns as negatives.
struct PositivePairs {
    /// Places in the block, int64 `[pairs]`.
    let rows: Tensor
    /// Places of the positives, int64 `[pairs]`.
    let columns: Tensor

    /// All pairs in row-major order, in parts of about `elements` triplets.
    static func parts(_ pairs: BlockPairs, elements: Int = 1 << 20) -> [PositivePairs] {
        let places = pairs.positives.nonzero()  // [pairs, 2]
        return RowRanges(rows: places.size(0), columns: pairs.positives.size(1), elements: elements).map { range in
            let part = places.narrowed(axis: 0, from: range.lowerBound, count: range.count)
            return PositivePairs(rows: part.selected(axis: 1, at: 0), columns: part.selected(axis: 1, at: 1))
        }
    }

    /// The triplets that a mask `[pairs, columns]` names, as places in the batch.
    func triplets(_ chosen: Tensor, _ block: RowBlock) -> TripletIndices {
        let places = chosen.nonzero()  // [triplets, 2]
        let pair = places.selected(axis: 1, at: 0)
        return TripletIndices(
            anchors: rows.indexSelected(axis: 0, pair) + Double(block.rows.lowerBound),
            positives: columns.indexSelected(axis: 0, pair), negatives: places.selected(axis: 1, at: 1))
    }
}

extension TripletIndices {
    /// No triplets, on a device.
    static func none(like rows: Tensor) -> TripletIndices {
        let empty = Tensor.arange(0, device: rows.device)
        return TripletIndices(anchors: empty, positives: empty, negatives: empty)
    }
}
