import ConcordCore
import ConcordTensor

/// The circle loss (Sun et al. 2020) with pairwise labels, after pytorch_metric_learning's `CircleLoss`: every cosine is
/// weighted by how far it is from its optimum.
///
/// With cosines `s`, a row costs
/// `softplus(log Σₙ exp(γ [sₙ + m]₊ (sₙ - m)) + log Σₚ exp(-γ [1 + m - sₚ]₊ (sₚ - 1 + m)))`, where the weights in
/// square brackets carry no gradient. The loss is the mean over the rows that have both a positive and a negative and
/// whose term is above zero.
///
/// - Parameters:
///   - embeddings: `[count, width]`, of any floating-point type, computed in at least float32; divided by their length
///     first, with 1e-12 as the least.
///   - labels: int64 `[count]`; pairs of equal labels are positives.
///   - reference: `[columns, width]`, what to compare the embeddings with; nil compares them with each other, but none
///     with itself.
///   - referenceLabels: int64 `[columns]`, given with `reference`.
///   - ownRows: int64 `[count]`, the row of `reference` that is the embedding itself and is left out, or -1.
///   - margin: `m`, the relaxation: 0.4 for retrieval, 0.25 for faces and persons.
///   - scale: `γ`, above 0: 80 for retrieval, 128 for persons, 256 for faces.
/// - Returns: the loss, `[]`; 0 with zero gradients where no row has both a positive and a negative.
/// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch`, `.nonFiniteValue` or `.invalidArgument`.
public func circleLoss(
    embeddings: Tensor, labels: Tensor, reference: Tensor? = nil, referenceLabels: Tensor? = nil,
    ownRows: Tensor? = nil, margin: Double = 0.4, scale: Double = 80
) throws(ConcordError) -> Tensor {
    try LossInput.checkFiniteNumber(margin, "margin")
    try LossInput.checkPositive(scale, "scale")
    let pairs = try LabelledPairs(
        embeddings: embeddings, labels: labels, reference: reference, referenceLabels: referenceLabels,
        ownRows: ownRows, normalizing: true)

    return try finiteLoss(on: embeddings.device) {
        let cosines = pairs.products  // [rows, columns]
        let fixed = cosines.detached()
        let positiveTerms = (1 + margin - fixed).relu() * (cosines - (1 - margin)) * -scale
        let negativeTerms = (fixed + margin).relu() * (cosines - margin) * scale
        let rows =
            (LabelledPairs.logSumExp(positiveTerms, where: pairs.positives)
            + LabelledPairs.logSumExp(negativeTerms, where: pairs.negatives)).softplus()
        let hasBoth = pairs.positives.any(axis: 1).logicalAnd(pairs.negatives.any(axis: 1))
        return LabelledPairs.meanOfNonZero(rows, where: hasBoth)
    }
}
