import ConcordTensor

/// What ``vicRegLoss(first:second:invarianceWeight:varianceWeight:covarianceWeight:epsilon:)`` is made of.
public struct VICRegTerms {
    /// The weighted sum of the others, `[]`, to be minimised.
    public let total: Tensor
    /// The mean squared difference of the two views, `[]`.
    public let invariance: Tensor
    /// How far columns fall short of the standard deviation 1, on average over columns and both views, `[]`.
    public let variance: Tensor
    /// The squared covariances of different columns, summed and divided by the width, of both views together, `[]`.
    public let covariance: Tensor
}
