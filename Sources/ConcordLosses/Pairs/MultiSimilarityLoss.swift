import ConcordCore
import ConcordTensor

/// The multi-similarity loss (Wang et al. 2019), after pytorch_metric_learning's `MultiSimilarityLoss`, without its
/// miner.
///
/// With cosines `s`, a row costs `log(1 + Σₚ exp(-α (sₚ - λ))) / α + log(1 + Σₙ exp(β (sₙ - λ))) / β`. The loss is the
/// mean over all rows; a row without positives or negatives lacks that part.
///
/// - Parameters:
///   - embeddings: `[count, width]`, of any floating-point type, computed in at least float32; divided by their length
///     first, with 1e-12 as the least.
///   - labels: int64 `[count]`; pairs of equal labels are positives.
///   - reference: `[columns, width]`, what to compare the embeddings with; nil compares them with each other, but none
///     with itself.
///   - referenceLabels: int64 `[columns]`, given with `reference`.
///   - ownRows: int64 `[count]`, the row of `reference` that is the embedding itself and is left out, or -1.
///   - alpha: the weight of positives in the exponent, above 0.
///   - beta: the weight of negatives in the exponent, above 0.
///   - base: `λ`, the cosine that parts positives from negatives.
/// - Returns: the loss, `[]`; 0 with zero gradients where there is no pair. Unlike the peer, which takes a batch with
///   at most one positive and one negative pair for an empty one, a single pair with a reference counts.
/// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch`, `.nonFiniteValue` or `.invalidArgument`.
public func multiSimilarityLoss(
    embeddings: Tensor, labels: Tensor, reference: Tensor? = nil, referenceLabels: Tensor? = nil,
    ownRows: Tensor? = nil, alpha: Double = 2, beta: Double = 50, base: Double = 0.5
) throws(ConcordError) -> Tensor {
    try LossInput.checkPositive(alpha, "alpha")
    try LossInput.checkPositive(beta, "beta")
    try LossInput.checkFiniteNumber(base, "base")
    let pairs = try LabelledPairs(
        embeddings: embeddings, labels: labels, reference: reference, referenceLabels: referenceLabels,
        ownRows: ownRows, normalizing: true)

    return try finiteLoss(on: embeddings.device) {
        let excess = pairs.products - base  // [rows, columns]
        let zero = Tensor.zeros([], dtype: excess.dtype, device: excess.device)
        // The zero is the one inside the logarithm; it is also all that a row without such pairs has.
        let positiveTerms = LabelledPairs.logSumExp(excess * -alpha, where: pairs.positives).logAddExp(zero) / alpha
        let negativeTerms = LabelledPairs.logSumExp(excess * beta, where: pairs.negatives).logAddExp(zero) / beta
        return (positiveTerms + negativeTerms).mean()
    }
}
