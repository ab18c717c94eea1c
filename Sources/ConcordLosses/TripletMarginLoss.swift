import ConcordCore
import ConcordTensor

/// The triplet loss over a labelled batch, mined as the loss is taken (Schroff et al. 2015; Hermans et al. 2017).
///
/// Columns are the anchors' own batch, of which an anchor is no positive of itself, or another modality, where positives
/// and negatives are of the other modality. Where a block has no labels, sample `i` matches sample `i` alone. Anchors
/// without a positive or without a negative take no part.
///
/// Distances, mining and averaging follow PyTorch Metric Learning's `TripletMarginLoss`, its miners and its reducers,
/// but embeddings are normalised by the cosine distance only. One margin serves mining and loss. Memory is a few times
/// rows · columns: hinges over all triplets are counted by sorting and searching, not listed, so that 4,096 anchors
/// and their 10⁸ triplets are a matter of seconds; the softplus over all triplets, whose time grows with their number,
/// goes through them a slice at a time.
public struct TripletMarginLoss: RowwiseLoss, Hashable, Sendable {
    /// How much farther negatives should be than positives.
    public let margin: Double
    public let distance: EmbeddingDistance
    public let penalty: TripletPenalty
    public let mining: TripletMining
    public let averaging: TripletAveraging
    /// Whether, where two sides are compared, the second's samples are anchors, too.
    public var isSymmetric = false
    /// What samples with the same label are to each other, where labels are given.
    public var duplicates = DuplicatePolicy.positives

    /// - Parameter margin: at least 0. With the softplus it stands inside; 0 gives the soft margin of Hermans et al. 2017.
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
        let distances = distance.matrix(rows, columns)  // [rows, columns]
        let (positives, negatives) = withoutGradient {
            choose(distances.detached(), BlockPairs(block, columns: columns, duplicates: duplicates))
        }
        let isValid = positives.isValid.logicalAnd(negatives.isValid)  // [rows, places]
        let toPositives = distances.gathered(axis: 1, positives.indices)
        let toNegatives = distances.gathered(axis: 1, negatives.indices)
        let losses = penalty(toPositives - toNegatives + margin) * isValid
        let counted = averaging == .nonZero ? losses.detached().greater(than: 0) : isValid
        return (losses.to(.float64).sum().to(rows.dtype), counted.sum().to(rows.dtype))
    }

    /// The summed hinge, float64, which is linear in the distances as long as the same triplets have a loss.
    private func hinges(
        _ rows: Tensor, _ columns: Tensor, _ block: RowBlock, _ difficulty: TripletDifficulty
    ) -> (loss: Tensor, sums: TripletSums) {
        let distances = distance.matrix(rows, columns)
        let (sums, slopes) = withoutGradient {
            TripletSums.hinge(
                distances.detached(), BlockPairs(block, columns: columns, duplicates: duplicates), margin: margin,
                difficulty: difficulty)
        }
        let linear = (distances.to(.float64) * slopes).sum()
        return (linear + (sums.value - linear.detached()), sums)
    }

    /// The summed softplus, float64. Its gradient is known with it. How that depends on the embeddings only second
    /// derivatives ask, and then the triplets are gone through again.
    private func softpluses(
        _ rows: Tensor, _ columns: Tensor, _ block: RowBlock, _ difficulty: TripletDifficulty
    ) -> (loss: Tensor, sums: TripletSums) {
        let zero = Tensor(0, dtype: .float64, device: rows.device)
        var found = TripletSums(value: zero, chosen: zero, nonZero: zero)
        // What is kept are the embeddings. The distances and pairs of all blocks would be the whole matrix.
        let slopes = checkpointed([rows, columns]) { inputs in
            let pairs = withoutGradient { BlockPairs(block, columns: inputs[1], duplicates: duplicates) }
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
        let sorted = SortedNegatives(distances, pairs.negatives)
        let rank = sorted.count(distances.gathered(axis: 1, positives.indices), inclusive: true)  // [rows, places]
        let isFarther = rank.less(than: sorted.counts)
        let nearestFarther = sorted.columns.gathered(axis: 1, rank.clamped(max: Double(distances.size(1) - 1)))
        let farthest = ChosenPairs.extreme(distances, pairs.negatives, farthest: true).pairs
        let negatives = ChosenPairs(
            indices: Tensor.where(isFarther, nearestFarther, farthest.indices),
            isValid: farthest.isValid.expanded(to: rank.shape))
        return (positives, negatives)
    }
}

/// What a triplet costs, as a function of its violation: the anchor's distance to the positive, less that to the
/// negative, plus the margin.
public enum TripletPenalty: Hashable, Sendable {
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

/// What the mean over triplets divides by.
public enum TripletAveraging: Hashable, Sendable {
    /// The triplets whose loss is above 0, so that those learnt already do not thin out the rest (PyTorch Metric
    /// Learning's `AvgNonZeroReducer`).
    case nonZero
    /// All triplets that were chosen.
    case all
}

/// Which columns are positives and which negatives of a block of anchors, as booleans `[rows, columns]`.
struct BlockPairs {
    let positives: Tensor
    let negatives: Tensor

    init(_ block: RowBlock, columns: Tensor, duplicates: DuplicatePolicy = .positives) {
        let own = block.ownColumns(count: columns.size(0), device: columns.device)
        var same = block.positives ?? own
        var ignored = block.ignored
        if let alike = block.sameLabels {
            switch duplicates {
            case .negatives: break
            case .positives: same = block.positives.map { $0.logicalOr(alike) } ?? alike
            case .ignored:
                let others = alike.logicalAnd(same.logicalNot())
                ignored = ignored.map { $0.logicalOr(others) } ?? others
            }
        }
        if block.comparesWithItself { ignored = ignored.map { $0.logicalOr(own) } ?? own }
        let compared = ignored?.logicalNot()
        positives = compared.map { same.logicalAnd($0) } ?? same
        negatives = compared.map { same.logicalNot().logicalAnd($0) } ?? same.logicalNot()
    }
}
