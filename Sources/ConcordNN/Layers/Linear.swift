import ConcordTensor

/// An affine map of the last axis: `[…, inputs] → […, outputs]`, keys `weight` `[outputs, inputs]` and `bias`.
public struct Linear {
    public let weight: Tensor
    public let bias: Tensor?
    private let adapter: LowRankAdapter?

    /// Makes the layer. Without initializers it starts as torch's `nn.Linear` does.
    ///
    /// - Parameter target: what the layer is for; with nil it never gets an adapter.
    public init(
        _ scope: ParameterScope, _ inputs: Int, _ outputs: Int, hasBias: Bool = true,
        weightInitializer: Initializer? = nil, biasInitializer: Initializer? = nil,
        target: LowRankAdaptation.Target? = nil
    ) {
        weight = scope.parameter("weight", [outputs, inputs], weightInitializer ?? .fanIn(inputs))
        bias = hasBias ? scope.parameter("bias", [outputs], biasInitializer ?? .fanIn(inputs)) : nil
        let weight = weight
        adapter = target.flatMap { scope.adapter(for: $0, weight: weight) }
    }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        let own = Tensor.linear(x, weight: weight, bias: bias)
        return addition(x).map { own + $0 } ?? own
    }

    /// What a low-rank adapter adds to the product with the weight; nil where there is none.
    func addition(_ x: Tensor) -> Tensor? { adapter?.addition(x) }
}
