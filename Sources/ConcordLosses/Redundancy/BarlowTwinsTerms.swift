import ConcordTensor

/// What ``barlowTwinsLoss(first:second:redundancyWeight:)`` is made of.
public struct BarlowTwinsTerms {
    /// The invariance and the weighted redundancy together, `[]`, to be minimised.
    public let total: Tensor
    /// How far the correlations of each column with itself are from 1: squared and summed, `[]`.
    public let invariance: Tensor
    /// The correlations of different columns, squared and summed, `[]`.
    public let redundancy: Tensor
}
