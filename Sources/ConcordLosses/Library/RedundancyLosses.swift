import ConcordCore
import ConcordTensor

/// The Barlow Twins loss (Zbontar et al. 2021), after lightly's `BarlowTwinsLoss` on one process: the correlations
/// between the columns of two views are to be the identity matrix.
///
/// Columns are standardized over the batch, with 1e-5 added to the (biased) variance as in batch normalization; rows
/// are not normalized.
///
/// - Parameters:
///   - first: one view of a batch, `[count, width]` with at least two rows, of any floating-point type, computed in at
///     least float32.
///   - second: another view of the same samples, like `first`; it may be another modality.
///   - redundancyWeight: the weight of correlations between different columns, at least 0.
/// - Returns: the loss and its terms.
/// - Throws: `.shapeMismatch` (also for a single row, whose variance is not defined), `.dtypeMismatch`, `.emptyBatch`,
///   `.nonFiniteValue` or `.invalidArgument`.
public func barlowTwinsLoss(
    first: Tensor, second: Tensor, redundancyWeight: Double = 5e-3
) throws(ConcordError) -> BarlowTwinsTerms {
    try LossInput.checkNumber(redundancyWeight, "redundancyWeight", 0...)
    try LossInput.checkViews(first, second)
    return try withFullPrecision(on: first.device) { () throws(ConcordError) in
        let correlations =
            standardized(first).transposed(0, 1).matmul(standardized(second)) / Double(first.size(0))  // [width, width]
        let invariance = (correlations.diagonal() - 1).square().sum()
        let redundancy = OffDiagonal.sumOfSquares(correlations)
        return BarlowTwinsTerms(
            total: try LossInput.checkResult(invariance + redundancy * redundancyWeight), invariance: invariance,
            redundancy: redundancy)
    }
}

/// Columns brought to mean 0 and variance 1 over the rows.
private func standardized(_ view: Tensor) -> Tensor {
    let wide = view.precise
    let centered = wide - wide.mean(axes: [0], keepingAxes: true)
    return centered * (centered.square().mean(axes: [0], keepingAxes: true) + 1e-5).rsqrt()
}

/// The terms of ``barlowTwinsLoss(first:second:redundancyWeight:)``.
public struct BarlowTwinsTerms {
    /// The sum of the invariance and the weighted redundancy, `[]`, to be minimized.
    public let total: Tensor
    /// The squared differences of each column's correlation with itself from 1, summed, `[]`.
    public let invariance: Tensor
    /// The correlations of different columns, squared and summed, `[]`.
    public let redundancy: Tensor
}

/// The VICReg loss (Bardes, Ponce & LeCun 2022), after lightly's `VICRegLoss` on one process: views of a sample are to
/// be alike, columns are to vary over the batch, and no two columns are to carry the same information.
///
/// Embeddings are not normalized.
///
/// - Parameters:
///   - first: one view of a batch, `[count, width]` with at least two rows, of any floating-point type, computed in at
///     least float32.
///   - second: another view of the same samples, like `first`; it may be another modality.
///   - invarianceWeight: the weight of the difference of the views, at least 0.
///   - varianceWeight: the weight of the variance term, at least 0.
///   - covarianceWeight: the weight of the covariance term, at least 0.
///   - epsilon: added to variances before the square root, above 0.
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
    let centered = view - view.mean(axes: [0], keepingAxes: true)
    let covariance = centered.transposed(0, 1).matmul(centered) / Double(view.size(0) - 1)  // [width, width]
    return OffDiagonal.sumOfSquares(covariance) / Double(view.size(1))
}

/// The terms of ``vicRegLoss(first:second:invarianceWeight:varianceWeight:covarianceWeight:epsilon:)``.
public struct VICRegTerms {
    /// The weighted sum of the other terms, `[]`, to be minimized.
    public let total: Tensor
    /// The mean squared difference of the two views, `[]`.
    public let invariance: Tensor
    /// The shortfall of the columns' standard deviations below 1, averaged over columns and both views, `[]`.
    public let variance: Tensor
    /// The squared covariances of different columns, summed and divided by the width, of both views together, `[]`.
    public let covariance: Tensor
}

/// The part of a square matrix beside its diagonal.
enum OffDiagonal {
    /// The sum of the squares of a matrix `[width, width]` beside its diagonal.
    static func sumOfSquares(_ matrix: Tensor) -> Tensor {
        let diagonal = Tensor.identity(matrix.size(0), dtype: matrix.dtype, device: matrix.device)
        return (matrix * (1 - diagonal)).square().sum()
    }
}
