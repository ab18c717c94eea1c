import ConcordCheckpoint
import ConcordNN
import ConcordTensor

/// The decoder of CoCa: states of a text's tokens `[batch, tokens, width]` and a picture's tokens
/// `[batch, pictureTokens, width]` → what the language head reads, `[batch, tokens, width]`.
///
/// Each causal block is followed by one that looks at the picture. Follows `MultimodalTransformer` in open_clip 3.3's
/// `transformer.py`; but where that leaves its weights as torch makes them, and its language head as memory happens to
/// be, this starts as its `init_parameters`, which is never called, says. Keys below `text_decoder.`
public struct CaptionDecoder {
    public let configuration: CaptionDecoderConfiguration
    private let blocks: Transformer
    private let crossBlocks: [CrossAttentionBlock]
    private let finalNorm: LayerNorm
    private let store: ParameterStore

    init(_ scope: ParameterScope, _ configuration: CaptionDecoderConfiguration) {
        let shape = TransformerConfiguration(
            width: configuration.width, intermediateWidth: configuration.intermediateWidth,
            layers: configuration.layers,
            heads: configuration.heads, activation: configuration.activation,
            layerNormEpsilon: configuration.layerNormEpsilon, isCausal: true, layerScale: configuration.layerScale,
            initialization: .depthScaledNormal)
        blocks = Transformer(scope, shape)
        crossBlocks = (0..<configuration.layers).map { CrossAttentionBlock(scope / "cross_layers" / $0, shape) }
        finalNorm = LayerNorm(
            scope / "final_layer_norm", configuration.width, epsilon: configuration.layerNormEpsilon)
        store = scope.store
        self.configuration = configuration
    }

    public func callAsFunction(_ states: Tensor, pictures: Tensor) -> Tensor {
        let recomputes = store.isTraining && store.usesActivationCheckpointing
        let decoded = zip(blocks.blocks, crossBlocks).reduce(states) { x, pair in
            let (block, cross) = pair
            func run(_ inputs: [Tensor]) -> Tensor { cross(block(inputs[0]), cross.context(of: inputs[1])) }
            return recomputes
                ? checkpointed([x, pictures], generators: [store.generator], run) : run([x, pictures])
        }
        return finalNorm(decoded)
    }

    /// Each block's keys and values of the pictures, computed once for any number of tokens.
    package func contexts(of pictures: Tensor) -> [CrossAttention.Context] {
        crossBlocks.map { $0.context(of: pictures) }
    }

    /// New tokens behind those of the caches.
    ///
    /// - Parameters:
    ///   - states: of the new tokens alone, `[batch, tokens, width]`.
    ///   - contexts: those of ``contexts(of:)``.
    ///   - rows: which picture's context each row asks.
    ///   - caches: one for each causal block.
    package func callAsFunction(
        _ states: Tensor, contexts: [CrossAttention.Context], rows: BeamGrouping, caches: [KeyValueCache]
    ) -> Tensor {
        let decoded = blocks.blocks.indices.reduce(states) { x, index in
            crossBlocks[index](blocks.blocks[index](x, cache: caches[index]), contexts[index], rows: rows)
        }
        return finalNorm(decoded)
    }

    func makeCaches(capacity: Int) -> [KeyValueCache] { blocks.makeCaches(capacity: capacity) }
}
