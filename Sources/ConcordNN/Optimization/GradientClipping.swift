import ConcordTensor

/// The size of all gradients together, and a limit on it.
public enum GradientClipping {
    /// The Euclidean norm over all gradients. When it is above `maximum`, the gradients are scaled down to it in place.
    ///
    /// Follows torch's `clip_grad_norm_`, with its 1e-6 in the denominator.
    public static func clip(_ parameters: [Parameter], maximum: Double?) -> Double {
        withoutGradient {
            let gradients = parameters.compactMap(\.tensor.gradient)
            guard !gradients.isEmpty else { return 0 }
            let norm = Tensor.stacked(Tensor.foreachNorm(gradients)).norm().item()
            if let maximum, norm > maximum { Tensor.foreachMultiply(gradients, by: maximum / (norm + 1e-6)) }
            return norm
        }
    }
}
