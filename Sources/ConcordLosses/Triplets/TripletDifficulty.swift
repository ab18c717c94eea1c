import ConcordTensor

/// Which triplets a margin picks, by the gap: the anchor's distance to the negative less that to the positive.
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

    /// Which gaps are chosen, as booleans of the gaps' shape; nil where all are.
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
