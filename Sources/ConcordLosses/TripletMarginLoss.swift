import ConcordCore
import ConcordTensor

/// The triplet loss over a labeled batch, mined as the loss is computed (Schroff et al. 2015; Hermans et al. 2017).
///
/// With the defaults it is this, which the tests hold it to:
/// ```swift
/// func plainTripletLoss(_ embeddings: Tensor, labels: Tensor, margin: Double) -> Tensor {
///     let distances = embeddings.pairwiseDistance(to: embeddings)  // [count, count]
///     let same = labels.unsqueezed(1).equal(to: labels)
///     let isPositive = same.logicalAnd(Tensor.identity(labels.size(0), dtype: .bool).logicalNot())
///     let isTriplet = isPositive.unsqueezed(2).logicalAnd(same.logicalNot().unsqueezed(1))  // [count, count, count]
///     let losses = (distances.unsqueezed(2) - distances.unsqueezed(1) + margin).relu() * isTriplet
///     return losses.sum() / losses.greater(than: 0).sum()
/// }
/// ```
/// That lists all triplets. Here hinges over all of them are counted by sorting and searching, so that 4,096 anchors
/// and their 10⁸ triplets take seconds, and memory is a few times rows · columns. The softplus over all triplets, whose
/// time grows with their number, goes through them a slice at a time.
///
/// Columns are the anchors' own batch, where an anchor is no positive of itself, or another modality. Without labels,
/// sample `i` matches sample `i` alone. Anchors without a positive or without a negative take no part.
///
/// Distances, mining and averaging follow PyTorch Metric Learning's `TripletMarginLoss`, its miners and its reducers,
/// except that only the cosine distance normalizes embeddings. One margin serves mining and loss.
public struct TripletMarginLoss: RowwiseLoss, Hashable, Sendable {
    /// The distance by which negatives should be farther than positives.
    package let margin: Double
    package let distance: EmbeddingDistance
    package let penalty: TripletPenalty
    package let mining: TripletMining
    package let averaging: TripletAveraging
    /// Whether the samples of the second side are anchors, too, when two sides are compared.
    public var isSymmetric = false
    /// The effect of a label that several samples share; labels are optional.
    public var duplicates = DuplicatePolicy.positives

    /// - Parameter margin: at least 0. The softplus includes it; 0 gives the soft margin of Hermans et al. 2017.
    /// - Throws: `.invalidArgument` for a negative margin, a p below 1, or choices that contradict each other.
    public init(
        margin: Double = 1, distance: EmbeddingDistance = .euclidean(), penalty: TripletPenalty = .hinge,
        mining: TripletMining = .all, averaging: TripletAveraging = .nonZero
    ) throws(ConcordError) {
        try LossInput.checkNumber(margin, "margin", 0...)
        try distance.check()
        try mining.check()
        self.margin = margin
        self.distance = distance
        self.penalty = penalty
        self.mining = mining
        self.averaging = averaging
    }

    public func terms(rows: Tensor, columns: Tensor, block: RowBlock) -> (sum: Tensor, count: Tensor) {
        if let difficulty = mining.difficulty {
            let (loss, sums) =
                penalty == .hinge
                ? hinges(rows, columns, block, difficulty) : softpluses(rows, columns, block, difficulty)
            let count = averaging == .nonZero ? sums.nonZero : sums.chosen
            return (loss.to(rows.dtype), count.to(rows.dtype))
        }
        let pairs = withoutGradient { block.pairs(with: columns, duplicates: duplicates) }
        guard mining.choosesOne else {
            let distances = distance.matrix(rows, columns)  // [rows, columns]
            let chosen = withoutGradient { choose(distances.detached(), pairs) }
            return terms(chosen) { distances.gathered(axis: 1, $0) }
        }
        // The gradients of one pair a row need no matrix.
        let chosen = withoutGradient {
            mining.extremes(distance, rows, columns, pairs) ?? choose(distance.matrix(rows, columns), pairs)
        }
        return terms(chosen) { distance.chosen(rows, columns, $0) }
    }

    /// - Parameter distances: those of each row to the columns with some indices, both `[rows, places]`.
    private func terms(
        _ chosen: (positives: ChosenPairs, negatives: ChosenPairs), distances: (_ indices: Tensor) -> Tensor
    ) -> (sum: Tensor, count: Tensor) {
        let isValid = chosen.positives.isValid.logicalAnd(chosen.negatives.isValid)  // [rows, places]
        let toPositives = distances(chosen.positives.indices), toNegatives = distances(chosen.negatives.indices)
        let losses = penalty(toPositives - toNegatives + margin) * isValid
        let counted = averaging == .nonZero ? losses.detached().greater(than: 0) : isValid
        return (losses.to(.float64).sum().to(losses.dtype), counted.sum().to(losses.dtype))
    }

    /// The summed hinge, float64, which is linear in the distances as long as the same triplets have a loss.
    private func hinges(
        _ rows: Tensor, _ columns: Tensor, _ block: RowBlock, _ difficulty: TripletDifficulty
    ) -> (loss: Tensor, sums: TripletSums) {
        let distances = distance.matrix(rows, columns)
        let (sums, slopes) = withoutGradient {
            TripletSums.hinge(
                distances.detached(), block.pairs(with: columns, duplicates: duplicates), margin: margin,
                difficulty: difficulty)
        }
        let linear = (distances.to(.float64) * slopes).sum()
        return (linear + (sums.value - linear.detached()), sums)
    }

    /// The summed softplus, float64, and its gradient. Only second derivatives need the gradient's dependence on the
    /// embeddings, and then the triplets are gone through again.
    private func softpluses(
        _ rows: Tensor, _ columns: Tensor, _ block: RowBlock, _ difficulty: TripletDifficulty
    ) -> (loss: Tensor, sums: TripletSums) {
        let zero = Tensor(0, dtype: .float64, device: rows.device)
        var found = TripletSums(value: zero, chosen: zero, nonZero: zero)
        // What is kept are the embeddings. The distances and pairs of all blocks would be the whole matrix.
        let slopes = checkpointed([rows, columns]) { inputs in
            let pairs = withoutGradient { block.pairs(with: inputs[1], duplicates: duplicates) }
            let (sums, slopes) = TripletSums.softplus(
                distance.matrix(inputs[0], inputs[1]), pairs, margin: margin, difficulty: difficulty)
            found = sums
            return slopes
        }
        let distances = distance.matrix(rows, columns)
        return (found.value.withGradients([(distances, slopes.to(distances.dtype))]), found)
    }

    /// The triplets of each anchor: the positives and the negatives at equal places `[rows, places]`.
    private func choose(_ distances: Tensor, _ pairs: BlockPairs) -> (positives: ChosenPairs, negatives: ChosenPairs) {
        if case .batchSemiHard = mining { return Self.semiHard(distances, pairs) }
        var (positive, negative) = (PairChoice.hard, PairChoice.hard)
        if case .easyHard(let first, let second) = mining { (positive, negative) = (first, second) }
        let chosen = ChosenPairs.choose(distances, pairs, positive: positive, negative: negative)
        // At most one side has several places; the other side's one place goes with each of them.
        let places = max(chosen.positives.indices.size(1), chosen.negatives.indices.size(1))
        return (
            chosen.positives.indices.size(1) == places ? chosen.positives : chosen.positives.expanded(to: places),
            chosen.negatives.indices.size(1) == places ? chosen.negatives : chosen.negatives.expanded(to: places)
        )
    }

    private static func semiHard(
        _ distances: Tensor, _ pairs: BlockPairs
    ) -> (positives: ChosenPairs, negatives: ChosenPairs) {
        let positives = ChosenPairs(all: pairs.positives)
        let allNegatives = pairs.negatives
        let sorted = SortedNegatives(distances, allNegatives)
        let rank = sorted.count(distances.gathered(axis: 1, positives.indices), inclusive: true)  // [rows, places]
        let isFarther = rank.less(than: sorted.counts)
        let nearestFarther = sorted.columns.gathered(axis: 1, rank.clamped(max: Double(distances.size(1) - 1)))
        let farthest = ChosenPairs.extreme(distances, allNegatives, farthest: true).pairs
        let negatives = ChosenPairs(
            indices: Tensor.where(isFarther, nearestFarther, farthest.indices),
            isValid: farthest.isValid.expanded(to: rank.shape))
        return (positives, negatives)
    }
}

/// The loss of a triplet as a function of its violation: the anchor's distance to the positive, less that to the
/// negative, plus the margin.
public enum TripletPenalty: String, Hashable, Sendable, CaseIterable {
    /// The violation where it is above 0, otherwise 0 (Weinberger & Saul 2009; Schroff et al. 2015).
    case hinge
    /// `log(1 + exp(violation))`, the soft margin of Hermans et al. 2017, which never stops pulling.
    case softplus

    /// Penalties of violations of any shape. Where the violation is exactly 0, the hinge has gradient 0.
    func callAsFunction(_ violations: Tensor) -> Tensor {
        switch self {
        case .hinge: violations.relu()
        // Exact for large violations too, where libtorch's own softplus turns linear at 20.
        case .softplus: -((-violations).logSigmoid())
        }
    }
}

/// The triplets that the mean is taken over.
public enum TripletAveraging: Hashable, Sendable {
    /// The triplets whose loss is above 0, so that those already learned do not dilute the rest (PyTorch Metric
    /// Learning's `AvgNonZeroReducer`).
    case nonZero
    /// All triplets that were chosen.
    case all
}
