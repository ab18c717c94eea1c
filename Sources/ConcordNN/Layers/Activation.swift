import ConcordCheckpoint
import ConcordTensor

extension Activation {
    /// Applies the function elementwise.
    public func callAsFunction(_ x: Tensor) -> Tensor {
        switch self {
        case .gelu: x.gelu()
        case .tanhGELU: x.gelu(tanhApproximation: true)
        // OpenAI's approximation, x · σ(1.702 x).
        case .quickGELU: x * (1.702 * x).sigmoid()
        }
    }
}
