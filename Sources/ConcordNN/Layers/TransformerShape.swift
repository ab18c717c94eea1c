import ConcordCheckpoint

/// The numbers that a stack of transformer blocks is made from.
public struct TransformerShape {
    public let width, hidden, layers, heads: Int
    public let activation: Activation
    public let layerNormEpsilon: Double
    public let isCausal: Bool
    /// The first layer scale, nil for none.
    public let layerScale: Double?
    public let initialization: Initialization

    /// How the weights of the blocks start; OpenAI's CLIP treats its two towers differently.
    public enum Initialization: Sendable {
        /// torch's defaults (`nn.MultiheadAttention`, `nn.Linear`), as OpenAI's image tower has them.
        case torchDefaults
        /// Normal with standard deviations that shrink with depth, as OpenAI's text tower has them.
        case depthScaledNormal

        struct Weights {
            let attentionInput: Initializer
            let attentionOutput, mlpUp, mlpDown: Initializer?
        }

        func weights(width: Int, layers: Int) -> Weights {
            let deviation = 1 / Double(width).squareRoot()
            let residual = Initializer.normal(standardDeviation: deviation / (2 * Double(layers)).squareRoot())
            switch self {
            case .torchDefaults:
                // The three projections are one [3 · width, width] matrix to torch, hence its fan-out.
                return Weights(
                    attentionInput: .xavierUniform(fanIn: width, fanOut: 3 * width), attentionOutput: nil, mlpUp: nil,
                    mlpDown: nil)
            case .depthScaledNormal:
                return Weights(
                    attentionInput: .normal(standardDeviation: deviation), attentionOutput: residual,
                    mlpUp: .normal(standardDeviation: 1 / (2 * Double(width)).squareRoot()), mlpDown: residual)
            }
        }
    }

    public init(
        width: Int, hidden: Int, layers: Int, heads: Int, activation: Activation,
        layerNormEpsilon: Double, isCausal: Bool, layerScale: Double? = nil, initialization: Initialization
    ) {
        self.width = width
        self.hidden = hidden
        self.layers = layers
        self.heads = heads
        self.activation = activation
        self.layerNormEpsilon = layerNormEpsilon
        self.isCausal = isCausal
        self.layerScale = layerScale
        self.initialization = initialization
    }
}
