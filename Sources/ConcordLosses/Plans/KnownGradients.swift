import ConcordCore
import ConcordTensor

extension Tensor {
    /// `value` as a differentiable result whose gradients are known already.
    ///
    /// - Parameters:
    ///   - value: the result `[]`.
    ///   - gradients: for each input the gradient of the result, of the input's shape, at least float32.
    static func result(_ value: Tensor, gradients: [(input: Tensor, gradient: Tensor)]) -> Tensor {
        // The sum of input · gradient has the wanted gradients; taken from itself, it leaves the value as it is.
        let terms = gradients.filter(\.input.requiresGradient).map { input, gradient in
            // A dot product of all elements makes no tensor between.
            input.to(gradient.dtype).reshaped([-1]).matmul(gradient.reshaped([-1])).to(value.dtype)
        }
        guard let first = terms.first else { return value }
        let carrier = terms.dropFirst().reduce(first, +)
        return value + (carrier - carrier.detached())
    }
}
