import ConcordCheckpoint
import ConcordNN
import ConcordTensor

/// A text tower of either kind: token ids `[batch, tokens]` → `[batch, width]`.
package enum TextTower {
    case transformer(TextTransformer)
    case bert(BERT)

    init(_ scope: ParameterScope, _ configuration: TextTowerConfiguration) {
        switch configuration {
        case .transformer(let text): self = .transformer(TextTransformer(scope, text))
        case .bert(let text): self = .bert(BERT(scope, text))
        }
    }

    /// - Parameter lengths: the length of each row without its padding, int64 `[batch]`, which only BERT needs; nil
    ///   when no row is padded.
    package func callAsFunction(_ ids: Tensor, lengths: Tensor? = nil) -> Tensor {
        switch self {
        case .transformer(let tower): tower(ids)
        case .bert(let tower): tower(ids, lengths: lengths)
        }
    }
}

/// The map from a text tower's pooled vector to the embedding: nothing, a matrix, or two around a GELU.
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
