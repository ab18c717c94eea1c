import ConcordCore

/// Which triplets of a labelled batch a loss is taken over.
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
    /// The chosen positives of each anchor with its chosen negatives, as PyTorch Metric Learning's `BatchEasyHardMiner`.
    /// One side may be ``PairChoice/semiHard``, if the other is neither that nor ``PairChoice/all``.
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
