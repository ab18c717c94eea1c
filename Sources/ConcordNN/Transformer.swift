import ConcordCheckpoint
import ConcordTensor

/// A stack of pre-norm blocks, keys `layers.0…`: `[batch, tokens, width] → [batch, tokens, width]`.
public struct Transformer {
    public let blocks: [TransformerBlock]
    private let store: ParameterStore

    public init(_ scope: ParameterScope, _ shape: TransformerConfiguration) {
        blocks = (0..<shape.layers).map { TransformerBlock(scope / "layers" / $0, shape) }
        store = scope.store
    }

    /// - Parameter mask: as ``SelfAttention`` takes it; the same for all blocks.
    public func callAsFunction(_ x: Tensor, mask: Tensor? = nil) -> Tensor { self(x, mask: mask) { $0 } }

    /// The tokens that `choose` takes out of the last block's result; see ``TransformerBlock``.
    public func callAsFunction(_ x: Tensor, mask: Tensor? = nil, choose: @escaping (Tensor) -> Tensor) -> Tensor {
        guard !blocks.isEmpty else { return choose(x) }
        return blocks.enumerated().reduce(x) { x, numbered in
            let (number, block) = numbered, chooses = number == blocks.count - 1 ? choose : { $0 }
            guard store.isTraining, store.usesActivationCheckpointing else {
                return block(x, mask: mask, choose: chooses)
            }
            return checkpointed([x], generators: [store.generator]) { block($0[0], mask: mask, choose: chooses) }
        }
    }

    /// New tokens behind those of the caches, one for each block.
    public func callAsFunction(_ x: Tensor, caches: [KeyValueCache]) -> Tensor {
        precondition(caches.count == blocks.count, "\(caches.count) caches for \(blocks.count) blocks")
        return zip(blocks, caches).reduce(x) { x, pair in pair.0(x, cache: pair.1) }
    }

    /// Empty caches, one for each block.
    public func makeCaches(capacity: Int) -> [KeyValueCache] { blocks.map { _ in KeyValueCache(capacity: capacity) } }
}

/// A pre-norm residual block: `x + attention(norm(x))`, then `x + mlp(norm(x))`; `[batch, tokens, width]`.
///
/// With layer scale (Touvron et al. 2021) each branch is multiplied by a learned vector first.
public struct TransformerBlock {
    public let norm1, norm2: LayerNorm
    public let attention: SelfAttention
    public let mlp: MultilayerPerceptron
    /// `[width]` each, or nil.
    public let scale1, scale2: Tensor?

    init(_ scope: ParameterScope, _ shape: TransformerConfiguration) {
        let weights = shape.initialization.weights(width: shape.width, layers: shape.layers)
        norm1 = LayerNorm(scope / "layer_norm1", shape.width, epsilon: shape.layerNormEpsilon)
        attention = SelfAttention(
            scope / "self_attn", width: shape.width, heads: shape.heads, isCausal: shape.isCausal,
            input: weights.attentionInput, output: weights.attentionOutput)
        norm2 = LayerNorm(scope / "layer_norm2", shape.width, epsilon: shape.layerNormEpsilon)
        mlp = MultilayerPerceptron(
            scope / "mlp", width: shape.width, intermediateWidth: shape.intermediateWidth, activation: shape.activation,
            up: weights.mlpUp,
            down: weights.mlpDown, target: .mlp)
        func scale(_ name: String) -> Tensor? {
            shape.layerScale.map { (scope / name).parameter("weight", [shape.width], .constant($0)) }
        }
        scale1 = scale("layer_scale1")
        scale2 = scale("layer_scale2")
    }

    /// - Parameter mask: as ``SelfAttention`` takes it.
    public func callAsFunction(_ x: Tensor, mask: Tensor? = nil) -> Tensor {
        behind(x + scaled(attention(norm1(x), mask: mask), scale1))
    }

    /// The tokens that `choose` takes out of the block's result: `choose(self(x, mask: mask))`, without the perceptron's work
    /// on the others.
    ///
    /// - Parameter choose: some tokens of each row, `[batch, tokens, width] → [batch, chosen, width]`.
    public func callAsFunction(_ x: Tensor, mask: Tensor? = nil, choose: (Tensor) -> Tensor) -> Tensor {
        behind(choose(x + scaled(attention(norm1(x), mask: mask), scale1)))
    }

    /// New tokens behind those of a cache; see ``SelfAttention``.
    public func callAsFunction(_ x: Tensor, cache: KeyValueCache) -> Tensor {
        behind(x + scaled(attention(norm1(x), cache: cache), scale1))
    }

    /// The perceptron's half, which works on each token alone.
    private func behind(_ h: Tensor) -> Tensor { h + scaled(mlp(norm2(h)), scale2) }

    private func scaled(_ branch: Tensor, _ scale: Tensor?) -> Tensor {
        guard let scale else { return branch }
        return branch * scale
    }
}

/// The numbers that a stack of transformer blocks is made from.
public struct TransformerConfiguration {
    public let width, intermediateWidth, layers, heads: Int
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
        width: Int, intermediateWidth: Int, layers: Int, heads: Int, activation: Activation,
        layerNormEpsilon: Double, isCausal: Bool, layerScale: Double? = nil, initialization: Initialization
    ) {
        self.width = width
        self.intermediateWidth = intermediateWidth
        self.layers = layers
        self.heads = heads
        self.activation = activation
        self.layerNormEpsilon = layerNormEpsilon
        self.isCausal = isCausal
        self.layerScale = layerScale
        self.initialization = initialization
    }
}

/// A pre-norm residual block that looks at a context: `x + attention(norm(x), norm(context))`, then `x + mlp(norm(x))`;
/// `[batch, tokens, width]`.
///
/// Follows `ResidualAttentionBlock` with `is_cross_attention` in open_clip 3.3's `transformer.py`.
public struct CrossAttentionBlock {
    private let norm1, contextNorm, norm2: LayerNorm
    private let attention: CrossAttention
    private let mlp: MultilayerPerceptron
    private let scale1, scale2: Tensor?

    /// - Parameter shape: sizes, activation and initialisation; causality does not matter here.
    public init(_ scope: ParameterScope, _ shape: TransformerConfiguration) {
        let weights = shape.initialization.weights(width: shape.width, layers: shape.layers)
        norm1 = LayerNorm(scope / "layer_norm1", shape.width, epsilon: shape.layerNormEpsilon)
        contextNorm = LayerNorm(scope / "context_norm", shape.width, epsilon: shape.layerNormEpsilon)
        attention = CrossAttention(
            scope / "cross_attn", width: shape.width, heads: shape.heads, input: weights.attentionInput,
            output: weights.attentionOutput, hasAdapters: true)
        norm2 = LayerNorm(scope / "layer_norm2", shape.width, epsilon: shape.layerNormEpsilon)
        mlp = MultilayerPerceptron(
            scope / "mlp", width: shape.width, intermediateWidth: shape.intermediateWidth, activation: shape.activation,
            up: weights.mlpUp,
            down: weights.mlpDown, target: .mlp)
        func scale(_ name: String) -> Tensor? {
            shape.layerScale.map { (scope / name).parameter("weight", [shape.width], .constant($0)) }
        }
        scale1 = scale("layer_scale1")
        scale2 = scale("layer_scale2")
    }

    /// The keys and values of a context `[batch, context, width]`, for any number of calls.
    public func context(of x: Tensor) -> CrossAttention.Context { attention.context(of: contextNorm(x)) }

    /// - Parameter rows: which row of the context each of `x` asks; nil when each asks its own.
    public func callAsFunction(
        _ x: Tensor, _ context: CrossAttention.Context, rows: BeamGrouping? = nil
    ) -> Tensor {
        let normed = norm1(x)
        let attended =
            rows.map { $0.ungrouped(attention($0.grouped(normed), context), tokens: x.size(1)) }
            ?? attention(normed, context)
        let h = x + scaled(attended, scale1)
        return h + scaled(mlp(norm2(h)), scale2)
    }

    private func scaled(_ branch: Tensor, _ scale: Tensor?) -> Tensor { scale.map { branch * $0 } ?? branch }
}
