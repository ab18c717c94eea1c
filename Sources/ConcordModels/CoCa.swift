import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor

/// A model that aligns pictures with texts and captions them: CoCa (Yu et al. 2022).
///
/// Two towers give unit vectors that are compared by cosine, and a decoder predicts each token of a caption from those
/// before it and the picture. How pictures are pooled and what the class token of a text sees is the configuration's;
/// with the layout `joint` and the mask `legacy` this computes what `coca_model.py` of open_clip 3.3 does.
public struct CoCa: CaptioningModel {
    public let configuration: CoCaConfiguration
    public let store: ParameterStore
    private(set) var vision: VisionTransformer
    public let text: TextTransformer
    public let decoder: CaptionDecoder
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
        text = TextTransformer(scope / "text_model", configuration.text)
        vision = VisionTransformer(scope / "vision_model", configuration.vision)
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
                scope / "visual_projection", configuration.vision.pooledWidth, width, hasBias: false,
                weightInitializer: small(configuration.vision.width)) : nil
        textProjection = TextProjection(scope / "text_projection", .transformer(configuration.text), width)
    }

    // Embedding

    /// Unit vectors `[batch, projectionWidth]` of normalised pictures `[batch, 3, size, size]`, and the pictures' tokens
    /// for the decoder, `[batch, imageTokens, width]`.
    public func encodeImages(_ pixels: Tensor) -> (embeddings: Tensor, tokens: Tensor) {
        let (pooled, tokens) = vision.withTokens(pixels)
        return ((visualProjection.map { $0(pooled) } ?? pooled).normalized(), tokens)
    }

    /// Unit vectors of normalised pictures: `[batch, 3, size, size] → [batch, projectionWidth]`.
    public func embedImages(_ pixels: Tensor) -> Tensor { encodeImages(pixels).embeddings }

    /// Unit vectors `[batch, projectionWidth]` of token ids `[batch, tokens]`, padded by the pad token; and the states
    /// of the tokens for the decoder, `[batch, tokens, width]`.
    public func encodeTexts(_ ids: Tensor) -> (embeddings: Tensor, states: Tensor) {
        let (pooled, states) = text.withStates(ids)
        return (textProjection(pooled).normalized(), states)
    }

    /// Unit vectors of token ids: `[batch, tokens] → [batch, projectionWidth]`.
    ///
    /// - Parameter lengths: not needed: the pad token says where a text ends.
    public func embedTexts(_ ids: Tensor, lengths: Tensor? = nil) -> Tensor { encodeTexts(ids).embeddings }

    // Captioning

    /// All that the two losses need of a batch: pictures `[batch, 3, size, size]` and their captions, `[batch, tokens]`
    /// or several of each picture `[batch, captions, tokens]`; start and end token included, padded by the pad token.
    ///
    /// With several captions, rows of the output go by picture, then by caption; each picture is encoded once.
    public func callAsFunction(_ pixels: Tensor, _ ids: Tensor) -> CaptioningOutput {
        let captions = ids.flattened(to: -2), last = ids.size(-1) - 1  // [B · captions, T]
        var (images, pictures) = encodeImages(pixels)
        let (texts, states) = encodeTexts(captions)
        let count = captions.size(0) / images.size(0)
        if count > 1 { pictures = pictures.repeatInterleaved(count, axis: 0) }
        return CaptioningOutput(
            images: images, texts: texts,
            // The last token predicts nothing.
            states: decoder(states.sliced(axis: 1, from: 0, to: last), pictures: pictures),
            labels: captions.sliced(axis: 1, from: 1))
    }

    /// What ``callAsFunction(_:_:)`` gives, but for the labels, as one vector a picture `[batch, …]`: so a plan can compute
    /// it a chunk of the batch at a time.
    public func joined(_ pixels: Tensor, _ ids: Tensor) -> Tensor {
        let output = self(pixels, ids), dtype = output.images.dtype, batch = output.images.size(0)
        return Tensor.concatenated(
            [output.images, output.texts, output.states].map { $0.to(dtype).reshaped([batch, -1]) }, axis: 1)
    }

    /// The output that ``joined(_:_:)`` made one vector a picture of.
    ///
    /// - Parameter ids: the captions of the batch, as they were given there.
    public func output(joined: Tensor, _ ids: Tensor) -> CaptioningOutput {
        let captions = ids.flattened(to: -2), width = configuration.projectionWidth  // [B · captions, T]
        let end = width * (1 + captions.size(0) / joined.size(0))
        return CaptioningOutput(
            images: joined.sliced(axis: 1, from: 0, to: width),
            texts: joined.sliced(axis: 1, from: width, to: end).reshaped([-1, width]),
            states: joined.sliced(axis: 1, from: end)
                // [B, captions · T · C] → [B · captions, T, C]
                .reshaped([captions.size(0), captions.size(1) - 1, configuration.decoder.width]),
            labels: captions.sliced(axis: 1, from: 1))
    }

    /// Scores of the next token: what the decoder gives `[…, width]` → `[…, vocabulary]`.
    public func tokenLogits(_ states: Tensor) -> Tensor { .linear(states, weight: languageHead) }

    /// Room for captions of pictures, none of which has a token yet.
    ///
    /// - Parameter images: tokens that ``encodeImages(_:)`` gave, `[batch, imageTokens, width]`.
    public func makeCaptionCache(for images: Tensor) -> CaptionCache {
        let capacity = configuration.text.contextLength
        return CaptionCache(
            text: text.makeCaches(), decoder: decoder.makeCaches(capacity: capacity),
            contexts: withoutGradient { decoder.contexts(of: images) }, rowCount: images.size(0),
            capacity: capacity)
    }

    /// A cache that goes on from one's ``CaptionCache/layers`` and ``CaptionCache/imageLayers``, with a picture for each
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

    /// What the language head reads at new tokens of captions, `[batch, tokens, width]`, which join the cache: the same
    /// as that of the whole captions at once, for one row of work a token.
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
