import ConcordCore
import ConcordTensor

/// The mean squared difference of cosines and scores, after sentence-transformers' `CosineSimilarityLoss` (Reimers &
/// Gurevych 2019).
///
/// - Parameters:
///   - first: `[pairs, width]`, of any floating-point type, computed in at least float32; divided by their length first,
///     with 1e-12 as the least.
///   - second: the other side of each pair, like `first`.
///   - scores: `[pairs]`, the cosines to reach, as a rule in -1...1; of a floating-point type or int64.
/// - Returns: the loss, `[]`.
/// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch` or `.nonFiniteValue`.
public func cosineSimilarityLoss(first: Tensor, second: Tensor, scores: Tensor) throws(ConcordError) -> Tensor {
    try ScoreRanking.check(first, second, scores: scores, scale: 1)
    return try finiteLoss(on: first.device) {
        let cosines = (first.precise.unitVectors * second.precise.unitVectors)
            .sum(axes: [1])
        return (cosines - scores.detached().to(cosines.dtype)).square().mean()
    }
}
