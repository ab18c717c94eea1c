import ConcordCheckpoint
import ConcordNN
import ConcordTensor

/// What maps a text tower's pooled vector to the embedding: nothing, a matrix, or two around a GELU.
struct TextProjection {
    private let layers: [Linear]

    init(_ scope: ParameterScope, _ configuration: TextTowerConfiguration, _ outputs: Int) {
        let inputs = configuration.width
        func linear(_ scope: ParameterScope, _ inputs: Int, _ outputs: Int, hasBias: Bool = false) -> Linear {
            Linear(
                scope, inputs, outputs, hasBias: hasBias,
                weightInitializer: .normal(standardDeviation: 1 / Double(inputs).squareRoot()),
                biasInitializer: .zeros)
        }
        layers =
            switch configuration {
            case .transformer(let text):
                switch text.projection {
                case .none: []
                case .linear: [linear(scope, inputs, outputs)]
                case .linearWithBias: [linear(scope, inputs, outputs, hasBias: true)]
                }
            case .bert(let text):
                switch text.projection {
                case .none: []
                case .linear: [linear(scope, inputs, outputs)]
                case .perceptron:
                    // open_clip's width and its indices in an nn.Sequential, whose second entry is the activation.
                    [
                        linear(scope / 0, inputs, (inputs + outputs) / 2),
                        linear(scope / 2, (inputs + outputs) / 2, outputs),
                    ]
                }
            }
    }

    /// `[batch, width] → [batch, outputs]`
    func callAsFunction(_ x: Tensor) -> Tensor {
        layers.enumerated().reduce(x) { x, layer in layer.element(layer.offset > 0 ? x.gelu() : x) }
    }
}
