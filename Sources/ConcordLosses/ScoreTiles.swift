import ConcordCore
import ConcordTensor

/// The logits between some rows and all columns, of which no more is in memory than a few rows at a time.
///
/// On the CPU a pass over them is one parallel loop in the seam to libtorch; on other devices it is operations on blocks
/// of rows.
package struct ScoreTiles {
    /// `[rows, width]` and `[columns, width]`, without gradient.
    let rows, columns: Tensor
    /// The rows' own columns.
    let own: Range<Int>
    let scale: Double
    let blockRows: Int
    let isOneLoop: Bool

    package init(
        rows: Tensor, columns: Tensor, own: Range<Int>, scale: Double, blockRows: Int, isOneLoop: Bool? = nil
    ) {
        self.rows = rows
        self.columns = columns
        self.own = own
        self.scale = scale
        self.blockRows = blockRows
        self.isOneLoop = isOneLoop ?? (rows.device.kind == .cpu)
    }

    /// The logits of matching pairs, and the sums of all others' exponentials, row by row and column by column.
    ///
    /// - Parameter forGradients: whether ``gradients(_:_:matchedSlopes:factor:kept:)`` follows.
    package func statistics(forGradients: Bool) -> ScoreStatistics {
        guard isOneLoop else { return ScoreBlocks(self).statistics() }
        let found = Tensor.scoreStatistics(
            rows: rows, columns: columns, own: own.lowerBound, scale: scale, blockRows: blockRows,
            forGradients: forGradients)
        return ScoreStatistics(
            matched: found.matched, rows: ExponentialSums(maximum: found.rows.maxima, sum: found.rows.sums),
            columns: ExponentialSums(maximum: found.columns.maxima, sum: found.columns.sums), kept: found.kept)
    }

    /// The gradients with respect to rows and columns, without what smoothing spreads over all pairs.
    ///
    /// - Parameters:
    ///   - matchedSlopes: the gradients with respect to the logits of the matching pairs, divided by `factor`,
    ///     `[rows]`.
    ///   - factor: multiplies the sum of both softmaxes.
    ///   - kept: what the statistics kept.
    package func gradients(
        _ byRow: Softmaxes, _ byColumn: Softmaxes, matchedSlopes: Tensor, factor: Double, kept: Tensor?
    ) -> (rows: Tensor, columns: Tensor) {
        guard isOneLoop, let kept else {
            return ScoreBlocks(self).gradients(byRow, byColumn, matchedSlopes: matchedSlopes, factor: factor)
        }
        return Tensor.scoreGradients(
            rows: rows, columns: columns, own: own.lowerBound, scale: scale, blockRows: blockRows, kept: kept,
            byRow: (byRow.maximum, byRow.inverseSum), byColumn: (byColumn.maximum, byColumn.inverseSum),
            matched: matchedSlopes, factor: factor)
    }
}

package struct ScoreStatistics {
    /// The logits of the matching pairs `[rows]`.
    package let matched: Tensor
    /// Of all other logits, of each row and of each column.
    package let rows: ExponentialSums
    package var columns: ExponentialSums
    /// Logits that the gradients need again, where some are kept.
    package var kept: Tensor? = nil
}

/// The largest of some logits and the sum of exponentials relative to it.
package struct ExponentialSums {
    /// The maximum of no logits: finite, so that differences are no NaN.
    static let nothing = -Double(Float.greatestFiniteMagnitude)

    package private(set) var maximum, sum: Tensor

    init(maximum: Tensor, sum: Tensor) {
        self.maximum = maximum
        self.sum = sum
    }

    /// Joins the sums of all processes.
    mutating func join(_ group: ProcessGroup?) throws(ConcordError) {
        guard let group else { return }
        let joint = maximum.cloned()
        try group.allReduce(joint, .maximum)
        sum.formMultiply((maximum - joint).exp())
        try group.allReduce(sum)
        maximum = joint
    }
}

/// The softmaxes of a matching logit among others, one for each row or column.
package struct Softmaxes {
    /// The largest logit, and one over the sum of exponentials relative to it.
    package let maximum, inverseSum: Tensor
    /// The probability of all but the matching pair.
    package let othersShare: Tensor
    /// Minus the logarithm of the probability of the matching pair.
    package let losses: Tensor

    package init(matched: Tensor, others: ExponentialSums) {
        maximum = others.maximum.maximum(matched)
        let sum = others.sum * (others.maximum - maximum).exp(), shift = matched - maximum
        inverseSum = (sum + shift.exp()).reciprocal()
        othersShare = sum * inverseSum
        // log(sum + exp(shift)) − shift, which is as small as the sum where the matching logit is the largest.
        losses = (sum + shift.expm1()).log1p() - shift
    }
}
