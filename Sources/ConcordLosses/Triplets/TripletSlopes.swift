import ConcordCore
import ConcordTensor

/// The summed loss of the triplets that a difficulty chooses, and its derivative by every distance; found without
/// gradients and without a list of the triplets.
struct TripletSlopes {
    /// The summed loss, float64 `[]`.
    var value: Tensor
    /// The derivatives by the distances, float64 `[rows, columns]`.
    var slopes: Tensor
    /// How many triplets are chosen, and how many of them have a loss above 0; float64 `[]`.
    var chosen: Tensor
    var nonZero: Tensor

    /// The value as a function of the distances that autograd can differentiate once.
    func differentiable(by distances: Tensor) -> Tensor {
        let linear = (distances.to(.float64) * slopes).sum()
        return linear + (value - linear.detached())
    }

    /// The hinge of all triplets of a block, in O(columns · log columns) for each anchor.
    ///
    /// The negatives that a positive forms triplets with are an interval in the order of distances, found by binary
    /// search. The sum is linear in the distances: a positive counts once for each negative in its interval, and a
    /// negative is taken off once for each interval it lies in. Both counts are piecewise constant.
    static func hinge(
        _ distances: Tensor, _ pairs: BlockPairs, margin: Double, difficulty: TripletDifficulty
    ) -> TripletSlopes {
        let positives = ChosenPairs(all: pairs.positives)
        let negatives = SortedNegatives(distances, pairs.negatives)
        let toPositives = distances.gathered(axis: 1, positives.indices)  // [rows, places]
        let withMargin = toPositives + margin
        let none = Tensor.zeros(like: positives.indices)
        let all = negatives.counts.expanded(to: none.shape)
        let interval: (from: Tensor, to: Tensor) =
            switch difficulty {
            case .any: (none, all)
            case .all: (none, negatives.count(withMargin, inclusive: true))
            case .hard: (none, negatives.count(toPositives, inclusive: true))
            case .semiHard:
                (negatives.count(toPositives, inclusive: true), negatives.count(withMargin, inclusive: true))
            case .easy: (negatives.count(withMargin, inclusive: true), all)
            }
        // Beyond the margin the loss is 0, and so are its slopes.
        let end = interval.to.minimum(negatives.count(withMargin, inclusive: false)).maximum(interval.from)
        let isValid = positives.isValid.to(.float64)
        let active = (end - interval.from).to(.float64) * isValid  // [rows, places]

        // +1 where a positive's interval begins and -1 where it ends: running sums count the intervals over a negative.
        let columns = distances.size(1)
        let steps = Tensor.zeros([distances.size(0), columns + 1], dtype: .float64, device: distances.device)
            .scatterAdded(axis: 1, interval.from, isValid).scatterAdded(axis: 1, end, -isValid)
        let covering = steps.cumulativeSum(axis: 1).sliced(axis: 1, to: columns)  // by rank of the negative
        let slopes = Tensor.zeros(distances.shape, dtype: .float64, device: distances.device)
            .scattered(axis: 1, negatives.columns, -covering).scatterAdded(axis: 1, positives.indices, active)
        return TripletSlopes(
            value: (slopes * distances.to(.float64)).sum() + active.sum() * margin, slopes: slopes,
            chosen: ((interval.to - interval.from).to(.float64) * isValid).sum(), nonZero: active.sum())
    }

    /// Any penalty of all triplets of a block: a few positives of each anchor at a time with all its negatives, so that
    /// no more than about `limit` triplets are in memory.
    static func dense(
        _ distances: Tensor, _ pairs: BlockPairs, margin: Double, difficulty: TripletDifficulty, limit: Int = 1 << 21
    ) -> TripletSlopes {
        let positives = ChosenPairs(all: pairs.positives)
        let places = positives.indices.size(1)
        let step = max(1, limit / max(1, distances.scalarCount))
        let zero = Tensor(0, dtype: .float64, device: distances.device)
        let slopes = Tensor.zeros(distances.shape, dtype: .float64, device: distances.device)
        var result = TripletSlopes(value: zero, slopes: slopes, chosen: zero, nonZero: zero)
        for first in stride(from: 0, to: places, by: step) {
            let indices = positives.indices.sliced(axis: 1, from: first, to: first + step)
            let isValid = positives.isValid.sliced(axis: 1, from: first, to: first + step).unsqueezed(2)
            // [rows, places, 1] and [rows, 1, columns]
            let gaps = distances.unsqueezed(1) - distances.gathered(axis: 1, indices).unsqueezed(2)
            var chosen = isValid.logicalAnd(pairs.negatives.unsqueezed(1))
            if let rule = difficulty.chooses(gaps: gaps, margin: margin) { chosen = chosen.logicalAnd(rule) }
            let violations = (margin - gaps).to(.float64)
            let losses = TripletPenalty.softplus(violations) * chosen
            let pulls = violations.sigmoid() * chosen
            result.value = result.value + losses.sum()
            result.chosen = result.chosen + chosen.sum()
            result.nonZero = result.nonZero + losses.greater(than: 0).sum()
            result.slopes = result.slopes.scatterAdded(axis: 1, indices, pulls.sum(axes: [2])) - pulls.sum(axes: [1])
        }
        return result
    }
}
