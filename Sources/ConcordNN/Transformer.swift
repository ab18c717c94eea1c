import ConcordCheckpoint
import ConcordTensor

/// A stack of pre-norm blocks, keys `layers.0…`: `[batch, tokens, width] → [batch, tokens, width]`.
public struct Transformer {
    package let blocks: [TransformerBlock]
    private let store: ParameterStore

    public init(_ scope: ParameterScope, _ configuration: TransformerConfiguration) {
        blocks = (0..<configuration.layers).map { TransformerBlock(scope / "layers" / $0, configuration) }
        store = scope.store
    }

    /// - Parameter mask: as in ``SelfAttention``; the same for all blocks.
    public func callAsFunction(_ x: Tensor, mask: Tensor? = nil) -> Tensor { self(x, mask: mask) { $0 } }

    /// The tokens that `choose` takes out of the last block's result; see ``TransformerBlock``.
    package func callAsFunction(_ x: Tensor, mask: Tensor? = nil, choose: @escaping (Tensor) -> Tensor) -> Tensor {
        guard let last = blocks.indices.last else { return choose(x) }
        return run(last, self(x, mask: mask, layers: 0..<last), mask: mask, choose: choose)
    }

    /// Some of the blocks, by number.
    package func callAsFunction(_ x: Tensor, mask: Tensor? = nil, layers: Range<Int>) -> Tensor {
        layers.reduce(x) { run($1, $0, mask: mask) { $0 } }
    }

    private func run(
        _ number: Int, _ x: Tensor, mask: Tensor?, choose: @escaping (Tensor) -> Tensor
    ) -> Tensor {
        let block = blocks[number]
        guard store.isTraining, store.usesActivationCheckpointing else { return block(x, mask: mask, choose: choose) }
        return store.checkpointed([x]) { block($0[0], mask: mask, choose: choose) }
    }

    // MARK: - Decoding token by token

    /// New tokens after those of the caches, one cache for each block.
    package func callAsFunction(_ x: Tensor, caches: [KeyValueCache]) -> Tensor {
        precondition(caches.count == blocks.count, "\(caches.count) caches for \(blocks.count) blocks")
        return zip(blocks, caches).reduce(x) { x, pair in pair.0(x, cache: pair.1) }
    }

    /// Empty caches, one for each block.
    package func makeCaches(capacity: Int) -> [KeyValueCache] { blocks.map { _ in KeyValueCache(capacity: capacity) } }
}

/// A pre-norm residual block: `x + attention(norm(x))`, then `x + mlp(norm(x))`; `[batch, tokens, width]`.
///
/// With layer scale (Touvron et al. 2021) each branch is multiplied by a learned vector first.
public struct TransformerBlock {
    private let norm: LayerNorm
    private let attention: SelfAttention
    private let rest: FeedForward

    public init(_ scope: ParameterScope, _ configuration: TransformerConfiguration) {
        let width = configuration.width
        let weights = configuration.initialization.weights(width: width, layers: configuration.layers)
        norm = LayerNorm(scope / "layer_norm1", width, epsilon: configuration.layerNormEpsilon)
        attention = SelfAttention(
            scope / "self_attn", width: width, heads: configuration.heads, isCausal: configuration.isCausal,
            biases: configuration.attentionBiases, input: weights.attentionInput, output: weights.attentionOutput)
        rest = FeedForward(scope, configuration, weights)
    }

    /// - Parameter mask: as in ``SelfAttention``.
    public func callAsFunction(_ x: Tensor, mask: Tensor? = nil) -> Tensor {
        rest(x, attended: attention(norm(x), mask: mask))
    }

    /// The tokens that `choose` takes out of the block's result, without the perceptron's work on the others.
    ///
    /// - Parameter choose: some tokens of each row, `[batch, tokens, width] → [batch, chosen, width]`.
    package func callAsFunction(_ x: Tensor, mask: Tensor? = nil, choose: (Tensor) -> Tensor) -> Tensor {
        rest(x, attended: attention(norm(x), mask: mask), choose: choose)
    }

    /// New tokens after those of a cache; see ``SelfAttention``.
    package func callAsFunction(_ x: Tensor, cache: KeyValueCache) -> Tensor {
        rest(x, attended: attention(norm(x), cache: cache))
    }
}

/// A pre-norm residual block that looks at a context: `x + attention(norm(x), norm(context))`, then `x + mlp(norm(x))`;
/// `[batch, tokens, width]`.
///
/// Follows `ResidualAttentionBlock` with `is_cross_attention` in open_clip 3.3's `transformer.py`.
package struct CrossAttentionBlock {
    private let norm, contextNorm: LayerNorm
    private let attention: CrossAttention
    private let rest: FeedForward

    /// - Parameter configuration: sizes, activation and initialization; causality does not matter here.
    package init(_ scope: ParameterScope, _ configuration: TransformerConfiguration) {
        let width = configuration.width
        let weights = configuration.initialization.weights(width: width, layers: configuration.layers)
        norm = LayerNorm(scope / "layer_norm1", width, epsilon: configuration.layerNormEpsilon)
        contextNorm = LayerNorm(scope / "context_norm", width, epsilon: configuration.layerNormEpsilon)
        attention = CrossAttention(
            scope / "cross_attn", width: width, heads: configuration.heads, input: weights.attentionInput,
            output: weights.attentionOutput, hasAdapters: true)
        rest = FeedForward(scope, configuration, weights)
    }

    /// The keys and values of a context `[batch, context, width]`, for any number of calls.
    package func context(of x: Tensor) -> CrossAttention.Context { attention.context(of: contextNorm(x)) }

    /// - Parameter rows: the row of the context for each row of `x`; nil where each has a separate one.
    package func callAsFunction(
        _ x: Tensor, _ context: CrossAttention.Context, rows: BeamGrouping? = nil
    ) -> Tensor {
        let normed = norm(x)
        let attended =
            rows.map { $0.ungrouped(attention($0.grouped(normed), context), tokens: x.size(1)) }
            ?? attention(normed, context)
        return rest(x, attended: attended)
    }
}

/// The part of a block after its attention: both residual additions, with layer scale if configured, and the
/// perceptron.
private struct FeedForward {
    private let norm: LayerNorm
    private let mlp: MultilayerPerceptron
    /// `[width]` each, or nil.
    private let attentionScale, scale: Tensor?

    init(
        _ scope: ParameterScope, _ configuration: TransformerConfiguration,
        _ weights: TransformerConfiguration.Initialization.Weights
    ) {
        norm = LayerNorm(scope / "layer_norm2", configuration.width, epsilon: configuration.layerNormEpsilon)
        mlp = MultilayerPerceptron(
            scope / "mlp", width: configuration.width, intermediateWidth: configuration.intermediateWidth,
            activation: configuration.activation, up: weights.mlpUp, down: weights.mlpDown, target: .mlp)
        func layerScale(_ name: String) -> Tensor? {
            configuration.layerScale.map { (scope / name).parameter("weight", [configuration.width], .constant($0)) }
        }
        attentionScale = layerScale("layer_scale1")
        scale = layerScale("layer_scale2")
    }

    func callAsFunction(_ x: Tensor, attended: Tensor, choose: (Tensor) -> Tensor = { $0 }) -> Tensor {
        let h = choose(x + scaled(attended, attentionScale))
        return h + scaled(mlp(norm(h)), scale)
    }

    private func scaled(_ branch: Tensor, _ scale: Tensor?) -> Tensor { scale.map { branch * $0 } ?? branch }
}

/// The sizes and settings of a stack of transformer blocks.
public struct TransformerConfiguration {
    package let width, intermediateWidth, layers, heads: Int
    package let activation: Activation
    package let layerNormEpsilon: Double
    package let isCausal: Bool
    /// Initial layer scale, nil for none.
    package let layerScale: Double?
    package let attentionBiases: SelfAttention.Biases
    package let initialization: Initialization

    /// The initialization of the blocks' weights; OpenAI's CLIP treats its two towers differently.
    public enum Initialization: Sendable {
        /// torch's defaults (`nn.MultiheadAttention`, `nn.Linear`), as in OpenAI's image tower.
        case torchDefaults
        /// Normal with standard deviations that shrink with depth, as in OpenAI's text tower.
        case depthScaledNormal

        fileprivate struct Weights {
            let attentionInput: Initializer
            let attentionOutput, mlpUp, mlpDown: Initializer?
        }

        fileprivate func weights(width: Int, layers: Int) -> Weights {
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
        width: Int, intermediateWidth: Int, layers: Int, heads: Int, activation: Activation, layerNormEpsilon: Double,
        isCausal: Bool, layerScale: Double? = nil, attentionBiases: SelfAttention.Biases = .all,
        initialization: Initialization
    ) {
        self.width = width
        self.intermediateWidth = intermediateWidth
        self.layers = layers
        self.heads = heads
        self.activation = activation
        self.layerNormEpsilon = layerNormEpsilon
        self.isCausal = isCausal
        self.layerScale = layerScale
        self.attentionBiases = attentionBiases
        self.initialization = initialization
    }
}
