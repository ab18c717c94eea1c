import ConcordCore
import ConcordTensor

/// Sums over the triplets of a difficulty, computed without listing them; float64 `[]`, without gradient.
struct TripletSums {
    /// The summed loss.
    var value: Tensor
    /// The number of triplets that are chosen, and of those among them with a loss above 0.
    var chosen, nonZero: Tensor

    /// The hinge of all triplets of a block, in O(columns · log columns) for each anchor.
    ///
    /// The negatives that a positive forms triplets with are an interval in the order of distances, found by binary
    /// search. The sum is linear in the distances: a positive counts once for each negative in its interval, and a
    /// negative is taken off once for each interval it lies in. Both counts are piecewise constant.
    ///
    /// - Returns: the sums, and the derivatives of the loss by the distances, float64 `[rows, columns]`.
    static func hinge(
        _ distances: Tensor, _ pairs: BlockPairs, margin: Double, difficulty: TripletDifficulty
    ) -> (sums: TripletSums, slopes: Tensor) {
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
        let sums = TripletSums(
            value: (slopes * distances.to(.float64)).sum() + active.sum() * margin,
            chosen: ((interval.to - interval.from).to(.float64) * isValid).sum(), nonZero: active.sum())
        return (sums, slopes)
    }

    /// The softplus of all triplets of a block: a few positives of each anchor at a time with all its negatives, so
    /// that no more than about `limit` triplets are in memory.
    ///
    /// - Returns: the sums, and the derivatives of the loss by the distances, float64 `[rows, columns]`, as a
    ///   differentiable function of the distances.
    static func softplus(
        _ distances: Tensor, _ pairs: BlockPairs, margin: Double, difficulty: TripletDifficulty, limit: Int = 1 << 21
    ) -> (sums: TripletSums, slopes: Tensor) {
        let positives = withoutGradient { ChosenPairs(all: pairs.positives) }
        let negatives = withoutGradient { pairs.negatives.unsqueezed(1) }  // [rows, 1, columns]
        let places = positives.indices.size(1)
        let step = max(1, limit / max(1, distances.scalarCount))
        let zero = Tensor(0, dtype: .float64, device: distances.device)
        var sums = TripletSums(value: zero, chosen: zero, nonZero: zero)
        var slopes = Tensor.zeros(distances.shape, dtype: .float64, device: distances.device)
        for first in stride(from: 0, to: places, by: step) {
            let indices = positives.indices.sliced(axis: 1, from: first, to: first + step)
            let isValid = positives.isValid.sliced(axis: 1, from: first, to: first + step).unsqueezed(2)
            // [rows, places, 1] and [rows, 1, columns]
            let gaps = distances.unsqueezed(1) - distances.gathered(axis: 1, indices).unsqueezed(2)
            let violations = (margin - gaps).to(.float64)
            let chosen = withoutGradient {
                var chosen = isValid.logicalAnd(negatives)
                if let rule = difficulty.chooses(gaps: gaps, margin: margin) { chosen = chosen.logicalAnd(rule) }
                let losses = TripletPenalty.softplus(violations) * chosen
                sums.value = sums.value + losses.sum()
                sums.chosen = sums.chosen + chosen.sum()
                sums.nonZero = sums.nonZero + losses.greater(than: 0).sum()
                return chosen
            }
            let pulls = violations.sigmoid() * chosen
            slopes = slopes.scatterAdded(axis: 1, indices, pulls.sum(axes: [2])) - pulls.sum(axes: [1])
        }
        return (sums, slopes)
    }
}
