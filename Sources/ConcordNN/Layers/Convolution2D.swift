import ConcordTensor

/// A 2-D convolution: `[batch, inputs, height, width] → [batch, outputs, …]`, key `weight` `[outputs, inputs, k, k]`.
public struct Convolution2D {
    public let weight: Tensor
    public let bias: Tensor?
    public let stride: Int
    public let padding: Int

    /// Makes the layer with torch's default initialisation.
    public init(
        _ scope: ParameterScope, _ inputs: Int, _ outputs: Int, kernelSize: Int, stride: Int = 1, padding: Int = 0,
        hasBias: Bool = true
    ) {
        let fanIn = inputs * kernelSize * kernelSize
        weight = scope.parameter("weight", [outputs, inputs, kernelSize, kernelSize], .fanIn(fanIn))
        bias = hasBias ? scope.parameter("bias", [outputs], .fanIn(fanIn)) : nil
        self.stride = stride
        self.padding = padding
    }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        x.convolution2D(
            weight: weight, bias: bias, stride: [stride, stride], padding: [padding, padding])
    }
}
