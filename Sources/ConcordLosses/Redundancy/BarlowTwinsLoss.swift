import ConcordCore
import ConcordTensor

/// The Barlow Twins loss (Zbontar et al. 2021), after lightly's `BarlowTwinsLoss` on one process: the correlations
/// between the columns of two views shall be the identity matrix.
///
/// Columns are standardised over the batch, with 1e-5 added to the (biased) variance as in batch normalisation; rows are
/// not normalised.
///
/// - Parameters:
///   - first: one view of a batch, `[count, width]` with at least two rows, of any floating-point type, computed in at
///     least float32.
///   - second: another view of the same samples, like `first`; a modality of its own will do.
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
    let centred = wide - wide.mean(axes: [0], keepingAxes: true)
    return centred * (centred.square().mean(axes: [0], keepingAxes: true) + 1e-5).rsqrt()
}
