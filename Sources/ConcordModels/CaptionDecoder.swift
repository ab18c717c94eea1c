import ConcordCheckpoint
import ConcordNN
import ConcordTensor

/// The decoder of CoCa: states of a text's tokens `[batch, tokens, width]` and an image's tokens
/// `[batch, imageTokens, width]` → inputs of the language head, `[batch, tokens, width]`.
///
/// Each causal block is followed by one that looks at the image. Follows `MultimodalTransformer` in open_clip 3.3's
/// `transformer.py`, except for the initialization: there `init_parameters` is never called, so that the language head
/// is uninitialized memory; here it is applied. Keys start with `text_decoder.`
package struct CaptionDecoder {
    package let configuration: CaptionDecoderConfiguration
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

    package func callAsFunction(_ states: Tensor, imageTokens: Tensor) -> Tensor {
        let recomputes = store.isTraining && store.usesActivationCheckpointing
        let decoded = zip(blocks.blocks, crossBlocks).reduce(states) { x, pair in
            let (block, cross) = pair
            func run(_ inputs: [Tensor]) -> Tensor { cross(block(inputs[0]), cross.context(of: inputs[1])) }
            return recomputes ? store.checkpointed([x, imageTokens], run) : run([x, imageTokens])
        }
        return finalNorm(decoded)
    }

    /// Each block's keys and values of the images, computed once for any number of tokens.
    package func contexts(of imageTokens: Tensor) -> [CrossAttention.Context] {
        crossBlocks.map { $0.context(of: imageTokens) }
    }

    /// New tokens after those of the caches.
    ///
    /// - Parameters:
    ///   - states: states of the new tokens alone, `[batch, tokens, width]`.
    ///   - contexts: the result of ``contexts(of:)``.
    ///   - rows: the image's context for each row.
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

/// The keys and values of the images and of the tokens so far, so that each new token costs the same.
///
/// Captions of one image share its keys and values.
public final class CaptionCache {
    let text, decoder: [KeyValueCache]
    private(set) var contexts: [CrossAttention.Context]
    private(set) var contextRows: BeamGrouping
    /// The most tokens of a caption, start and end token included.
    package let capacity: Int
    /// The image of each row, as its place in `contexts`.
    private var images: [Int]

    init(
        text: [KeyValueCache], decoder: [KeyValueCache], contexts: [CrossAttention.Context], rowCount: Int,
        capacity: Int
    ) {
        self.text = text
        self.decoder = decoder
        self.contexts = contexts
        self.capacity = capacity
        images = Array(0..<rowCount)
        contextRows = BeamGrouping(images, contextCount: rowCount, device: contexts.first?.key.device ?? .cpu)
    }

    /// Keys and values of each causal layer, those of the text tower before those of the decoder,
    /// `[rows, heads, count, width]` each; empty before there is a token.
    package var layers: [(key: Tensor, value: Tensor)] { (text + decoder).compactMap(\.contents) }

    /// The images' keys and values in each layer of the decoder, `[images, heads, imageTokens, width]` each.
    package var imageLayers: [(key: Tensor, value: Tensor)] { contexts.map { ($0.key, $0.value) } }

    /// The number of tokens of each caption.
    package var count: Int { text.first?.count ?? 0 }

    /// The number of captions.
    package var rowCount: Int { images.count }

    /// Takes the rows of the batch at `rows`, in that order: the survivors of a beam search, unfinished captions, or
    /// each image several times.
    package func select(rows: [Int]) {
        guard let key = contexts.first?.key else { return }
        let device = key.device, index = Tensor(rows.map(Int64.init), device: device)
        for cache in text + decoder { cache.select(rows: index) }
        images = rows.map { images[$0] }
        let used = Set(images).sorted()
        // Copied only when half of the images are done, so that all copies together are no more than the first half.
        var contextCount = contextRows.contextCount
        if used.count <= contextCount / 2 {
            let kept = Tensor(used.map(Int64.init), device: device)
            contexts = withoutGradient { contexts.map { $0.selecting(rows: kept) } }
            let places = Dictionary(uniqueKeysWithValues: used.enumerated().map { ($0.element, $0.offset) })
            images = images.compactMap { places[$0] }
            contextCount = used.count
        }
        contextRows = BeamGrouping(images, contextCount: contextCount, device: device)
    }
}
