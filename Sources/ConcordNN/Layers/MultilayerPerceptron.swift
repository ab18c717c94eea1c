import ConcordCheckpoint
import ConcordTensor

/// Two linear layers around an activation: `[…, width] → […, width]`, keys `fc1` and `fc2`.
public struct MultilayerPerceptron {
    public let up, down: Linear
    public let activation: Activation

    public init(
        _ scope: ParameterScope, width: Int, hidden: Int, activation: Activation,
        up upWeight: Initializer? = nil,
        down downWeight: Initializer? = nil,
        target: LowRankAdaptation.Target? = nil
    ) {
        up = Linear(scope / "fc1", width, hidden, weightInitializer: upWeight, target: target)
        down = Linear(scope / "fc2", hidden, width, weightInitializer: downWeight, target: target)
        self.activation = activation
    }

    public func callAsFunction(_ x: Tensor) -> Tensor { down(activation(up(x))) }
}
