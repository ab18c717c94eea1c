import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor

/// A model that aligns images with texts and captions them: CoCa (Yu et al. 2022).
///
/// Two towers give unit vectors that are compared by cosine, and a decoder predicts each token of a caption from those
/// before it and the image. The configuration has the pooling of images and the mask of the class token; with the
/// layout `joint` and the mask `legacy` this computes what `coca_model.py` of open_clip 3.3 does.
public struct CoCa: CaptioningModel {
    public let configuration: CoCaConfiguration
    public let store: ParameterStore
    private(set) var vision: VisionTransformer
    package let text: TextTransformer
    package let decoder: CaptionDecoder
    private let visualProjection: Linear?
    private let textProjection: TextProjection
    /// The language head `[vocabulary, width]`: its own, or the text tower's table of tokens.
    public let languageHead: Tensor
    /// The logarithm of the logit scale, `[]`.
    public let logitScale: Tensor
    public var logitBias: Tensor? { nil }

    /// Makes the model from a store: drawn at random, or read from the store's checkpoints.
    public init(_ configuration: CoCaConfiguration, store: ParameterStore) {
        self.configuration = configuration
        self.store = store
        let scope = ParameterScope(store), width = configuration.projectionWidth
        func small(_ inputs: Int) -> Initializer { .normal(standardDeviation: 1 / Double(inputs).squareRoot()) }
        logitScale = scope.parameter("logit_scale", [], .constant(configuration.initialLogitScale))
        text = TextTransformer(scope / Tower.text.root, configuration.text)
        vision = VisionTransformer(scope / Tower.image.root, configuration.vision)
        decoder = CaptionDecoder(scope / "text_decoder", configuration.decoder)
        languageHead =
            configuration.decoder.tiesLanguageHead
            ? text.tokenTable
            : Linear(
                scope / "language_head", configuration.decoder.width, configuration.text.vocabularySize,
                hasBias: false, weightInitializer: small(configuration.decoder.width)
            ).weight
        visualProjection =
            configuration.vision.hasProjection
            ? Linear(
                scope / Tower.image.projection, configuration.vision.pooledWidth, width, hasBias: false,
                weightInitializer: small(configuration.vision.width)) : nil
        textProjection = TextProjection(scope / Tower.text.projection, .transformer(configuration.text), width)
    }

    // Embedding

    /// Unit vectors `[batch, projectionWidth]` of normalized images `[batch, 3, size, size]`, and the images' tokens
    /// for the decoder, `[batch, imageTokens, width]`.
    public func encodeImages(_ pixels: Tensor) -> (embeddings: Tensor, tokens: Tensor) {
        let (pooled, tokens) = vision.withTokens(pixels)
        return ((visualProjection.map { $0(pooled) } ?? pooled).normalized(), tokens)
    }

    /// Unit vectors of normalized images: `[batch, 3, size, size] → [batch, projectionWidth]`.
    public func embedImages(_ pixels: Tensor) -> Tensor { encodeImages(pixels).embeddings }

    /// Unit vectors `[batch, projectionWidth]` of token ids `[batch, tokens]`, padded by the pad token; and the states
    /// of the tokens for the decoder, `[batch, tokens, width]`.
    package func encodeTexts(_ ids: Tensor) -> (embeddings: Tensor, states: Tensor) {
        let (pooled, states) = text.withStates(ids)
        return (textProjection(pooled).normalized(), states)
    }

    /// Unit vectors of token ids: `[batch, tokens] → [batch, projectionWidth]`.
    ///
    /// - Parameter lengths: not needed: the pad token marks the end of a text.
    public func embedTexts(_ ids: Tensor, lengths: Tensor? = nil) -> Tensor { encodeTexts(ids).embeddings }

    // Captioning

    /// The inputs of both losses: images `[batch, 3, size, size]` and their captions, `[batch, tokens]`
    /// or several of each image `[batch, captions, tokens]`; start and end token included, padded by the pad token.
    ///
    /// With several captions, rows of the output go by image, then by caption; each image is encoded once.
    public func callAsFunction(_ pixels: Tensor, _ ids: Tensor) -> CaptioningOutput {
        let captions = ids.flattened(to: -2), last = ids.size(-1) - 1  // [B · captions, T]
        var (images, imageTokens) = encodeImages(pixels)
        let (texts, states) = encodeTexts(captions)
        let count = captions.size(0) / images.size(0)
        if count > 1 { imageTokens = imageTokens.repeatInterleaved(count, axis: 0) }
        return CaptioningOutput(
            images: images, texts: texts,
            // The last token predicts nothing.
            states: decoder(states.sliced(axis: 1, from: 0, to: last), imageTokens: imageTokens),
            labels: captions.sliced(axis: 1, from: 1))
    }

    /// Scores of the next token: decoder states `[…, width]` → `[…, vocabulary]`.
    public func tokenLogits(_ states: Tensor) -> Tensor { .linear(states, weight: languageHead) }

    /// An empty cache for captions of images.
    ///
    /// - Parameter images: tokens that ``encodeImages(_:)`` gave, `[batch, imageTokens, width]`.
    public func makeCaptionCache(for images: Tensor) -> CaptionCache {
        let capacity = configuration.text.contextLength
        return CaptionCache(
            text: text.makeCaches(), decoder: decoder.makeCaches(capacity: capacity),
            contexts: withoutGradient { decoder.contexts(of: images) }, rowCount: images.size(0),
            capacity: capacity)
    }

    /// A cache that continues from ``CaptionCache/layers`` and ``CaptionCache/imageLayers``, with an image for each
    /// row.
    public func makeCaptionCache(
        layers: [(key: Tensor, value: Tensor)], imageLayers: [(key: Tensor, value: Tensor)]
    ) -> CaptionCache {
        let capacity = configuration.text.contextLength
        precondition(
            layers.count == configuration.text.layers + configuration.decoder.layers
                && imageLayers.count == configuration.decoder.layers,
            "keys and values of \(layers.count) and \(imageLayers.count) layers")
        let caches = layers.map { KeyValueCache(capacity: capacity, key: $0.key, value: $0.value) }
        return CaptionCache(
            text: Array(caches[..<configuration.text.layers]), decoder: Array(caches[configuration.text.layers...]),
            contexts: imageLayers.map { CrossAttention.Context(key: $0.key, value: $0.value) },
            rowCount: imageLayers.first?.key.shape[0] ?? 0, capacity: capacity)
    }

    /// The decoder states of new tokens of captions, `[batch, tokens, width]`, which join the cache: the same as those
    /// of whole captions at once, for one row of work a token.
    ///
    /// - Parameter ids: the new tokens alone, int64 `[batch, tokens]`, no padding among them.
    /// - Throws: `.invalidArgument` when the captions become longer than the model's context.
    public func states(next ids: Tensor, cache: CaptionCache) throws(ConcordError) -> Tensor {
        guard cache.count + ids.shape[1] <= cache.capacity else {
            throw ConcordError(
                .invalidArgument,
                "a caption of \(cache.count + ids.shape[1]) tokens is longer than the \(cache.capacity) that the "
                    + "model was made for; ask for fewer tokens")
        }
        return withoutGradient {
            decoder(
                text.states(ids, caches: cache.text), contexts: cache.contexts, rows: cache.contextRows,
                caches: cache.decoder)
        }
    }

    public var textTransformer: TextTransformerConfiguration { configuration.text }
    public var decoderConfiguration: CaptionDecoderConfiguration { configuration.decoder }
    public var textConfiguration: TextTowerConfiguration { .transformer(configuration.text) }
    public var patchDropout: Double {
        get { vision.patchDropout }
        set { vision.patchDropout = newValue }
    }
    public var visionConfiguration: VisionTransformerConfiguration { configuration.vision }
    public var architecture: ModelFolder.Architecture? { .coca(configuration) }
    public var embeddingWidth: Int { configuration.projectionWidth }
}

extension CoCaConfiguration: ModelConfiguration {
    package func makeModel(store: ParameterStore) -> CoCa { CoCa(self, store: store) }
}
