import ConcordCore
import ConcordTensor

/// The VICReg loss (Bardes, Ponce & LeCun 2022), after lightly's `VICRegLoss` on one process: views of a sample shall be
/// alike, columns shall vary over the batch, and no two columns say the same.
///
/// Embeddings are taken as they are, not normalised.
///
/// - Parameters:
///   - first: one view of a batch, `[count, width]` with at least two rows, of any floating-point type, computed in at
///     least float32.
///   - second: another view of the same samples, like `first`; a modality of its own will do.
///   - invarianceWeight: the weight of the difference of the views, at least 0.
///   - varianceWeight: the weight of the variance term, at least 0.
///   - covarianceWeight: the weight of the covariance term, at least 0.
///   - epsilon: what is added to variances before the square root, above 0.
/// - Returns: the loss and its terms.
/// - Throws: `.shapeMismatch` (also for a single row, whose variance is not defined), `.dtypeMismatch`, `.emptyBatch`,
///   `.nonFiniteValue` or `.invalidArgument`.
public func vicRegLoss(
    first: Tensor, second: Tensor, invarianceWeight: Double = 25, varianceWeight: Double = 25,
    covarianceWeight: Double = 1, epsilon: Double = 1e-4
) throws(ConcordError) -> VICRegTerms {
    try LossInput.checkNumber(invarianceWeight, "invarianceWeight", 0...)
    try LossInput.checkNumber(varianceWeight, "varianceWeight", 0...)
    try LossInput.checkNumber(covarianceWeight, "covarianceWeight", 0...)
    try LossInput.checkPositive(epsilon, "epsilon")
    try LossInput.checkViews(first, second)
    return try withFullPrecision(on: first.device) { () throws(ConcordError) in
        let views = [first.precise, second.precise]
        let invariance = (views[0] - views[1]).square().mean()
        let shortfalls = views.map { (1 - ($0.variance(axes: [0]) + epsilon).sqrt()).relu().mean() }
        let variance = (shortfalls[0] + shortfalls[1]) * 0.5
        let covariance = redundantCovariance(views[0]) + redundantCovariance(views[1])
        let total = invariance * invarianceWeight + variance * varianceWeight + covariance * covarianceWeight
        return VICRegTerms(
            total: try LossInput.checkResult(total), invariance: invariance, variance: variance, covariance: covariance)
    }
}

/// The squares of the covariances of different columns, summed and divided by the width.
private func redundantCovariance(_ view: Tensor) -> Tensor {
    let centred = view - view.mean(axes: [0], keepingAxes: true)
    let covariance = centred.transposed(0, 1).matmul(centred) / Double(view.size(0) - 1)  // [width, width]
    return OffDiagonal.sumOfSquares(covariance) / Double(view.size(1))
}
