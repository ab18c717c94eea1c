import ConcordTensor

/// What a triplet costs, as a function of its violation: the anchor's distance to the positive, less that to the
/// negative, plus the margin.
public enum TripletPenalty: Hashable, Sendable {
    /// The violation where it is above 0, otherwise 0 (Weinberger & Saul 2009; Schroff et al. 2015).
    case hinge
    /// `log(1 + exp(violation))`, the soft margin of Hermans et al. 2017, which never stops pulling.
    case softplus

    /// Penalties of violations of any shape. Where the violation is exactly 0, the hinge has gradient 0.
    func callAsFunction(_ violations: Tensor) -> Tensor {
        switch self {
        case .hinge: violations.relu()
        // Exact for large violations too, where libtorch's own softplus turns linear at 20.
        case .softplus: -((-violations).logSigmoid())
        }
    }
}
