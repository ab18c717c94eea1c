import ConcordCheckpoint
import ConcordCore
import ConcordTensor

/// An affine map of the last axis: `[…, inputs] → […, outputs]`, keys `weight` `[outputs, inputs]` and `bias`.
public struct Linear {
    public let weight: Tensor
    public let bias: Tensor?
    private let adapter: LowRankAdapter?

    /// Makes the layer; by default it is initialized like torch's `nn.Linear`.
    ///
    /// - Parameter target: the layer's role for low-rank adapters; a layer without one never gets an adapter.
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

    /// The addition of a low-rank adapter to the product with the weight; nil without an adapter.
    func addition(_ x: Tensor) -> Tensor? { adapter?.addition(x) }
}

/// A table of vectors: ids `[…]` → `[…, width]`, key `weight` `[count, width]`.
public struct Embedding {
    public let weight: Tensor

    /// - Parameters:
    ///   - isTrained: whether training may change the table.
    ///   - resizing: converts a checkpoint's table with another number of rows.
    public init(
        _ scope: ParameterScope, _ count: Int, _ width: Int, initializer: Initializer, isTrained: Bool = true,
        resizing: ParameterStore.Resizing? = nil
    ) {
        weight = scope.parameter(
            "weight", [count, width], initializer, isTrained: isTrained, resizing: resizing)
    }

    public func callAsFunction(_ ids: Tensor) -> Tensor { .embedding(ids, weight: weight) }
}

/// Layer normalization over the last axis (Ba et al. 2016), keys `weight` and `bias` `[width]`.
public struct LayerNorm {
    public let weight: Tensor
    public let bias: Tensor
    private let epsilon: Double

    public init(_ scope: ParameterScope, _ width: Int, epsilon: Double = 1e-5) {
        weight = scope.parameter("weight", [width], .ones)
        bias = scope.parameter("bias", [width], .zeros)
        self.epsilon = epsilon
    }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        x.layerNorm(shape: weight.shape, weight: weight, bias: bias, epsilon: epsilon)
    }
}

extension Activation {
    /// Applies the function elementwise.
    public func callAsFunction(_ x: Tensor) -> Tensor {
        switch self {
        case .gelu: x.gelu()
        case .tanhGELU: x.gelu(tanhApproximation: true)
        // OpenAI's approximation, x · σ(1.702 x).
        case .quickGELU: x * (1.702 * x).sigmoid()
        case .relu: x.relu()
        }
    }
}

/// Two linear layers around an activation: `[…, width] → […, width]`, keys `fc1` and `fc2`.
public struct MultilayerPerceptron {
    private let up, down: Linear
    private let activation: Activation

    public init(
        _ scope: ParameterScope, width: Int, intermediateWidth: Int, activation: Activation,
        up upWeight: Initializer? = nil,
        down downWeight: Initializer? = nil,
        target: LowRankAdaptation.Target? = nil
    ) {
        up = Linear(scope / "fc1", width, intermediateWidth, weightInitializer: upWeight, target: target)
        down = Linear(scope / "fc2", intermediateWidth, width, weightInitializer: downWeight, target: target)
        self.activation = activation
    }

    public func callAsFunction(_ x: Tensor) -> Tensor { down(activation(up(x))) }
}

/// A 2-D convolution: `[batch, inputs, height, width] → [batch, outputs, …]`, key `weight` `[outputs, inputs, k, k]`.
public struct Convolution2D {
    public let weight: Tensor
    public let bias: Tensor?
    private let stride: [Int]
    private let padding: [Int]

    /// Makes the layer with torch's default initialization.
    public init(
        _ scope: ParameterScope, _ inputs: Int, _ outputs: Int, kernelSize: Int, stride: Int = 1, padding: Int = 0,
        hasBias: Bool = true
    ) {
        self.init(
            scope, inputs, outputs, kernel: [kernelSize, kernelSize], stride: [stride, stride],
            padding: [padding, padding], hasBias: hasBias)
    }

    /// Makes the layer with torch's default initialization; sizes are `[height, width]`.
    package init(
        _ scope: ParameterScope, _ inputs: Int, _ outputs: Int, kernel: [Int], stride: [Int], padding: [Int],
        hasBias: Bool = true
    ) {
        let fanIn = kernel.reduce(inputs, *)
        weight = scope.parameter("weight", [outputs, inputs] + kernel, .fanIn(fanIn))
        bias = hasBias ? scope.parameter("bias", [outputs], .fanIn(fanIn)) : nil
        self.stride = stride
        self.padding = padding
    }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        x.convolution2D(weight: weight, bias: bias, stride: stride, padding: padding)
    }
}

/// A 1-D convolution: `[batch, inputs, count] → [batch, outputs, …]`, key `weight` `[outputs, inputs, k]` and `bias`.
package struct Convolution1D {
    private let weight, bias: Tensor
    private let stride: Int
    private let padding: Int

    /// Makes the layer with torch's default initialization.
    package init(
        _ scope: ParameterScope, _ inputs: Int, _ outputs: Int, kernelSize: Int, stride: Int = 1, padding: Int = 0
    ) {
        weight = scope.parameter("weight", [outputs, inputs, kernelSize], .fanIn(inputs * kernelSize))
        bias = scope.parameter("bias", [outputs], .fanIn(inputs * kernelSize))
        self.stride = stride
        self.padding = padding
    }

    package func callAsFunction(_ x: Tensor) -> Tensor {
        x.convolution1D(weight: weight, bias: bias, stride: [stride], padding: [padding])
    }
}

/// Batch normalization by running statistics (Ioffe & Szegedy 2015), keys `weight`, `bias`, `running_mean`,
/// `running_var` `[width]` and `num_batches_tracked`.
///
/// The statistics are those of the checkpoint, in training too, so that a row's values do not depend on the rows beside
/// it.
package struct BatchNorm {
    private let weight, bias, mean, variance: Tensor
    private let epsilon: Double
    /// The shape in which the vectors meet the values.
    private let shape: [Int]

    /// - Parameter trailingAxes: axes after that of the `width` channels.
    package init(_ scope: ParameterScope, _ width: Int, trailingAxes: Int, epsilon: Double = 1e-5) {
        weight = scope.parameter("weight", [width], .ones)
        bias = scope.parameter("bias", [width], .zeros)
        mean = scope.buffer("running_mean", .zeros([width]))
        variance = scope.buffer("running_var", .ones([width]))
        // Nothing here reads it, but a file has it.
        _ = scope.buffer("num_batches_tracked", .zeros([], dtype: .int64), mayDiffer: true)
        self.epsilon = epsilon
        shape = [width] + Array(repeating: 1, count: trailingAxes)
    }

    package func callAsFunction(_ x: Tensor) -> Tensor {
        let deviation = (variance + epsilon).rsqrt().reshaped(shape)
        return (x - mean.reshaped(shape)) * deviation * weight.reshaped(shape) + bias.reshaped(shape)
    }
}
