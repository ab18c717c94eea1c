import ConcordCore
import ConcordTensor

/// The CoSENT loss (Su 2022), after sentence-transformers' `CoSENTLoss`: a pair with a higher score shall have the higher
/// cosine.
///
/// The loss is `log(1 + Σ exp(scale · (cosine of i - cosine of j)))` over all `i`, `j` where the score of `j` is higher
/// than that of `i`; pairs of equal scores are not compared. Memory grows with the number of pairs, not its square.
///
/// - Parameters:
///   - first: `[pairs, width]`, of any floating-point type, computed in at least float32; divided by their length first,
///     with 1e-12 as the least.
///   - second: the other side of each pair, like `first`.
///   - scores: `[pairs]`, of a floating-point type or int64; only their order counts.
///   - scale: the factor on cosines, above 0: one over the temperature.
/// - Returns: the loss, `[]`; 0 with zero gradients where all scores are equal.
/// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch`, `.nonFiniteValue` or `.invalidArgument`.
public func cosentLoss(
    first: Tensor, second: Tensor, scores: Tensor, scale: Double = 20
) throws(ConcordError) -> Tensor {
    try ScoreRanking.check(first, second, scores: scores, scale: scale)
    return try finiteLoss(on: first.device) {
        let cosines = (first.precise.unitVectors * second.precise.unitVectors)
            .sum(axes: [1])
        return ScoreRanking.loss(similarities: cosines * scale, scores: scores)
    }
}
