import ConcordTensor

/// Layer normalisation over the last axis (Ba et al. 2016), keys `weight` and `bias` `[width]`.
public struct LayerNorm {
    public let weight: Tensor
    public let bias: Tensor
    public let epsilon: Double

    public init(_ scope: ParameterScope, _ width: Int, epsilon: Double = 1e-5) {
        weight = scope.parameter("weight", [width], .ones)
        bias = scope.parameter("bias", [width], .zeros)
        self.epsilon = epsilon
    }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        x.layerNorm(shape: weight.shape, weight: weight, bias: bias, epsilon: epsilon)
    }
}
