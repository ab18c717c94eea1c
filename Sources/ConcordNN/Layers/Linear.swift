import ConcordTensor

/// An affine map of the last axis: `[…, inputs] → […, outputs]`, keys `weight` `[outputs, inputs]` and `bias`.
public struct Linear {
    public let weight: Tensor
    public let bias: Tensor?

    /// Makes the layer. Without initializers it starts as torch's `nn.Linear` does.
    public init(
        _ scope: ParameterScope, _ inputs: Int, _ outputs: Int, hasBias: Bool = true,
        weightInitializer: Initializer? = nil, biasInitializer: Initializer? = nil
    ) {
        weight = scope.parameter("weight", [outputs, inputs], weightInitializer ?? .fanIn(inputs))
        bias = hasBias ? scope.parameter("bias", [outputs], biasInitializer ?? .fanIn(inputs)) : nil
    }

    public func callAsFunction(_ x: Tensor) -> Tensor { .linear(x, weight: weight, bias: bias) }
}
