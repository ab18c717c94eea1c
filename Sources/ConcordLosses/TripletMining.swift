import ConcordCore
import ConcordTensor

/// The triplets of a labeled batch that a loss is taken over.
///
/// A triplet is valid where the positive has the anchor's label and is not the anchor itself, and the negative has
/// another label.
public enum TripletMining: Hashable, Sendable {
    /// Every valid triplet: "batch all" of Hermans et al. 2017. The hinge is 0 for those that ``all`` leaves out.
    case any
    /// Valid triplets that violate the margin; see ``TripletDifficulty/all``.
    case all
    /// Valid triplets whose negative is not farther than the positive; see ``TripletDifficulty/hard``.
    case hard
    /// Valid triplets whose negative is farther, but within the margin; see ``TripletDifficulty/semiHard``.
    case semiHard
    /// Valid triplets beyond the margin; see ``TripletDifficulty/easy``. Their hinge is 0.
    case easy
    /// One triplet an anchor: its farthest positive and its nearest negative (Hermans et al. 2017, "batch hard").
    case batchHard
    /// One triplet for each positive: with the nearest negative that is farther than it, or, where none is, the
    /// farthest (Schroff et al. 2015, as in sentence-transformers' `BatchSemiHardTripletLoss`).
    case batchSemiHard
    /// The chosen positives of each anchor with its chosen negatives, as PyTorch Metric Learning's
    /// `BatchEasyHardMiner`. One side may be ``PairChoice/semiHard``, if the other is neither that nor
    /// ``PairChoice/all``.
    case easyHard(positive: PairChoice, negative: PairChoice)

    /// The rule by gaps, where the strategy is one.
    var difficulty: TripletDifficulty? {
        switch self {
        case .any, .easyHard(positive: .all, negative: .all): .any
        case .all: .all
        case .hard: .hard
        case .semiHard: .semiHard
        case .easy: .easy
        case .batchHard, .batchSemiHard, .easyHard: nil
        }
    }

    /// Whether each anchor has one triplet.
    var choosesOne: Bool {
        switch self {
        case .batchHard: true
        case .easyHard(let positive, let negative): positive != .all && negative != .all
        default: false
        }
    }

    /// The one triplet of each anchor, found without the matrix of distances; nil for choices, distances, types and
    /// devices that there is no such loop for.
    func extremes(
        _ distance: EmbeddingDistance, _ rows: Tensor, _ columns: Tensor, _ pairs: BlockPairs
    ) -> (positives: ChosenPairs, negatives: ChosenPairs)? {
        var (positive, negative) = (PairChoice.hard, PairChoice.hard)
        if case .easyHard(let first, let second) = self { (positive, negative) = (first, second) }
        guard rows.device.kind == .cpu, rows.dtype == .float32, positive != .semiHard, negative != .semiHard,
            distance == .euclidean() || distance == .squaredEuclidean
        else { return nil }
        let found = Tensor.extremeColumns(
            rows: rows, columns: columns, areSquared: distance == .squaredEuclidean, positives: pairs.positives,
            farthestPositive: positive == .hard, negatives: pairs.negatives, farthestNegative: negative == .easy)
        let chosen: (Tensor) -> ChosenPairs = {
            ChosenPairs(indices: $0.clamped(min: 0), isValid: $0.greaterOrEqual(to: 0))
        }
        return (chosen(found.positive), chosen(found.negative))
    }

    func check() throws(ConcordError) {
        if case .easyHard(let positive, let negative) = self { try Self.check(positive: positive, negative: negative) }
    }

    static func check(positive: PairChoice, negative: PairChoice) throws(ConcordError) {
        for (choice, other) in [(positive, negative), (negative, positive)]
        where choice == .semiHard && (other == .semiHard || other == .all) {
            throw ConcordError(
                .invalidArgument,
                "positive is \(positive) and negative \(negative); semiHard is measured against one chosen pair of "
                    + "the other side, which must be hard or easy")
        }
    }
}

/// The triplets that a margin picks by their gap: the anchor's distance to the negative less that to the positive.
///
/// The names and the closed ends are those of PyTorch Metric Learning's `TripletMarginMiner`.
public enum TripletDifficulty: Hashable, Sendable {
    /// Every valid triplet, whatever its gap.
    case any
    /// Triplets that violate the margin: gap ≤ margin.
    case all
    /// The negative is not farther than the positive: gap ≤ 0. A tie is hard.
    case hard
    /// The negative is farther, but not by more than the margin: 0 < gap ≤ margin.
    case semiHard
    /// The rest: gap > margin.
    case easy

    /// A mask of the gaps that are chosen, bool of the gaps' shape; nil for all.
    func chooses(gaps: Tensor, margin: Double) -> Tensor? {
        switch self {
        case .any: nil
        case .all: gaps.lessOrEqual(to: margin)
        case .hard: gaps.lessOrEqual(to: 0)
        case .semiHard: gaps.greater(than: 0).logicalAnd(gaps.lessOrEqual(to: margin))
        case .easy: gaps.greater(than: margin)
        }
    }
}

/// The choice among an anchor's positives, or among its negatives.
public enum PairChoice: Hashable, Sendable {
    /// The farthest positive, or the nearest negative.
    case hard
    /// The farthest positive that is nearer than the chosen negative, or the nearest negative that is farther than the
    /// chosen positive.
    case semiHard
    /// The nearest positive, or the farthest negative.
    case easy
    /// All of them.
    case all
}

/// Some columns of each row: where they are, and which of the places are used, both `[rows, places]`.
///
/// Choices are taken without gradients; the loss takes the distances that they name again, with.
struct ChosenPairs {
    var indices: Tensor
    var isValid: Tensor

    init(indices: Tensor, isValid: Tensor) {
        self.indices = indices
        self.isValid = isValid
    }

    /// All columns that a mask `[rows, columns]` names, with as many places as the fullest row needs, and at least one.
    init(all mask: Tensor) {
        let fullest = Int(mask.sum(axes: [1]).max().item())
        let top = mask.to(.float32).topK(max(1, fullest), axis: 1)
        self.init(indices: top.indices, isValid: top.values.greater(than: 0))
    }

    /// The choice with each row's single place repeated.
    func expanded(to places: Int) -> ChosenPairs {
        let shape = [indices.size(0), places]
        return ChosenPairs(indices: indices.expanded(to: shape), isValid: isValid.expanded(to: shape))
    }

    /// An anchor's farthest or nearest column of a mask; the first of equally far ones.
    static func extreme(
        _ distances: Tensor, _ mask: Tensor, farthest: Bool
    ) -> (pairs: ChosenPairs, distances: Tensor) {
        let filled = distances.maskedFilled(mask.logicalNot(), farthest ? -.infinity : .infinity)
        let best =
            farthest ? filled.maximum(axis: 1, keepingAxes: true) : filled.minimum(axis: 1, keepingAxes: true)
        let pairs = ChosenPairs(indices: best.indices, isValid: mask.any(axis: 1, keepingAxes: true))
        return (pairs, best.values)
    }

    /// The positives and the negatives of each anchor; a semi-hard side is chosen after the other one.
    static func choose(
        _ distances: Tensor, _ pairs: BlockPairs, positive: PairChoice, negative: PairChoice
    ) -> (positives: ChosenPairs, negatives: ChosenPairs) {
        func one(_ mask: Tensor, farthest: Bool) -> (pairs: ChosenPairs, distances: Tensor) {
            extreme(distances, mask, farthest: farthest)
        }
        func positives(below limit: Tensor? = nil) -> (pairs: ChosenPairs, distances: Tensor) {
            let mask = limit.map { pairs.positives.logicalAnd(distances.less(than: $0)) } ?? pairs.positives
            return one(mask, farthest: positive != .easy)
        }
        func negatives(above limit: Tensor? = nil) -> (pairs: ChosenPairs, distances: Tensor) {
            let mask = limit.map { pairs.negatives.logicalAnd(distances.greater(than: $0)) } ?? pairs.negatives
            return one(mask, farthest: negative == .easy)
        }
        switch (positive, negative) {
        case (.all, .all): return (ChosenPairs(all: pairs.positives), ChosenPairs(all: pairs.negatives))
        case (.all, _): return (ChosenPairs(all: pairs.positives), negatives().pairs)
        case (_, .all): return (positives().pairs, ChosenPairs(all: pairs.negatives))
        case (.semiHard, _):
            let negatives = negatives()
            return (positives(below: negatives.distances).pairs, negatives.pairs)
        case (_, .semiHard):
            let positives = positives()
            return (positives.pairs, negatives(above: positives.distances).pairs)
        default: return (positives().pairs, negatives().pairs)
        }
    }
}

/// The negatives of each anchor by distance, so that those within an interval are counted by a search instead of being
/// looked at one by one. Made and used without gradients.
struct SortedNegatives {
    /// Distances in rising order `[rows, columns]`; infinite past the negatives.
    let distances: Tensor
    /// The columns that they belong to, `[rows, columns]`; equally far ones in the order of columns.
    let columns: Tensor
    /// The number of negatives of each row, `[rows, 1]`.
    let counts: Tensor

    init(_ distances: Tensor, _ negatives: Tensor) {
        let sorted = distances.maskedFilled(negatives.logicalNot(), .infinity).sorted(axis: 1)
        self.distances = sorted.values.contiguous()
        columns = sorted.indices
        counts = negatives.sum(axes: [1], keepingAxes: true)
    }

    /// The number of each row's negatives that are nearer than the limits `[rows, limits]`, or as near if `inclusive`.
    func count(_ limits: Tensor, inclusive: Bool) -> Tensor {
        Tensor.callOperator(
            "aten::searchsorted.Tensor",
            [.tensor(distances), .tensor(limits.contiguous()), .bool(false), .bool(inclusive)])[0]
    }
}
