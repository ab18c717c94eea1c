import ConcordCore
import ConcordTensor

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

    /// The same with each row's one place repeated.
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
