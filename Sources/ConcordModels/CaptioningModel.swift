import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor
import ConcordText

/// A model that embeds images and texts and also writes captions, one token after another.
public protocol CaptioningModel: ImageTextEncoder {
    /// The text transformer, whose vocabulary and special tokens are those of captions.
    var textTransformer: TextTransformerConfiguration { get }
    /// The decoder that reads the images' tokens.
    var decoderConfiguration: CaptionDecoderConfiguration { get }
    /// The language head `[vocabulary, width]`.
    var languageHead: Tensor { get }

    /// Unit vectors `[batch, embeddingWidth]` of normalized images `[batch, 3, size, size]`, and the images' tokens for
    /// the decoder, `[batch, imageTokens, width]`.
    func encodeImages(_ pixels: Tensor) -> (embeddings: Tensor, tokens: Tensor)

    /// The inputs of both losses: images `[batch, 3, size, size]` with captions `[batch, captions, tokens]` of each; rows
    /// of the captions' outputs go by image, then by caption.
    func callAsFunction(_ pixels: Tensor, _ ids: Tensor) -> CaptioningOutput

    /// Scores of the next token from decoder states: `[…, width]` → `[…, vocabulary]`.
    func tokenLogits(_ states: Tensor) -> Tensor
    /// An empty cache for captions of images, whose tokens ``encodeImages(_:)`` gave: `[batch, imageTokens, width]`.
    func makeCaptionCache(for images: Tensor) -> CaptionCache
    /// A cache that goes on from another's ``CaptionCache/layers`` and ``CaptionCache/imageLayers``, with an image for
    /// each row.
    func makeCaptionCache(
        layers: [(key: Tensor, value: Tensor)], imageLayers: [(key: Tensor, value: Tensor)]
    ) -> CaptionCache
    /// The decoder states of new tokens, int64 `[batch, tokens]` → `[batch, tokens, width]`, which join the cache.
    ///
    /// - Throws: `.invalidArgument` when the captions grow longer than the context.
    func states(next ids: Tensor, cache: CaptionCache) throws(ConcordError) -> Tensor
}

/// The outputs that training compares: embeddings, and states with the tokens that they predict.
public struct CaptioningOutput {
    /// Unit vectors of the images, `[batch, embeddingWidth]`.
    public let images: Tensor
    /// Unit vectors of the captions, `[batch · captions, embeddingWidth]`.
    public let texts: Tensor
    /// The input of the language head, `[batch · captions, tokens − 1, width]`: at each token, the state that predicts
    /// the next.
    public let states: Tensor
    /// The next tokens, int64 `[batch · captions, tokens − 1]`, the pad token where there is none.
    public let labels: Tensor

    public init(images: Tensor, texts: Tensor, states: Tensor, labels: Tensor) {
        self.images = images
        self.texts = texts
        self.states = states
        self.labels = labels
    }
}

extension ModelOutput {
    /// The inputs of the language head, `[rows, captions, tokens − 1, width]`: at each token, the state that predicts the
    /// next.
    public static let captionStates = ModelOutput("caption states")
}

extension CaptioningModel {
    /// Both towers and the decoder in one pass, where captions are asked for: an image is encoded once.
    public func encoders(for outputs: Set<ModelOutput>) -> [RowEncoder] {
        guard outputs.contains(.captionStates) else { return towerEncoders(for: outputs) }
        let joint = RowEncoder(
            [.image, .text], outputs: [.embedding(.image), .embedding(.text), .captionStates]
        ) { inputs in
            let pixels = inputs[0].values.flattened(to: 1)  // [rows, 3, size, size]
            let ids = inputs[1].values  // [rows, captions, tokens]
            let output = self(pixels, ids)
            return [output.images, output.texts, output.states].map { rows in
                rows.reshaped([pixels.size(0), -1] + rows.shape.dropFirst())
            }
        }
        return [joint]
    }

    /// A generator that captions images step by step, each as its request asks.
    ///
    /// - Parameters:
    ///   - pixels: normalized images `[batch, 3, size, size]`.
    ///   - requests: one for each image. A prompt begins with the start token, and a request without one has it alone;
    ///     without stop tokens the end token ends a caption.
    /// - Throws: `.emptyBatch` or `.shapeMismatch` for images that do not fit; `.invalidArgument` for a request with
    ///   impossible options or that is longer than the context.
    public func makeGenerator(
        for pixels: Tensor, requests: [GenerationRequest]
    ) throws(ConcordError) -> TokenGenerator {
        try TokenGenerator(CaptionSession(self, pixels: pixels), requests: requests)
    }

    /// The captions of images `[batch, 3, size, size]`: for each as many as the options ask for.
    ///
    /// - Parameter prompt: the start of all captions, including the start token; nil for the start token alone.
    /// - Throws: the errors of ``makeGenerator(for:requests:)``.
    public func captions(
        of pixels: Tensor, prompt: [Int32]? = nil, options: GenerationOptions = GenerationOptions()
    ) throws(ConcordError) -> [[GeneratedTokens]] {
        let request = GenerationRequest(prompt: prompt, options: options)
        let count = pixels.rank > 0 ? pixels.size(0) : 0
        return try makeGenerator(for: pixels, requests: Array(repeating: request, count: count)).run()
    }
}

/// The decoding state of a captioning model, for ``TokenGenerator``: one row for each image to begin with.
///
/// Images are encoded when the session is made, and nothing records gradients.
public final class CaptionSession: DecodingSession {
    private let model: any CaptioningModel
    private let cache: CaptionCache

    /// - Parameters:
    ///   - pixels: normalized images `[batch, 3, size, size]`.
    /// - Throws: `.emptyBatch` without images, `.shapeMismatch` for images of another size; `.tensorOperation` when the
    ///   model fails.
    public init(_ model: any CaptioningModel, pixels: Tensor) throws(ConcordError) {
        let size = model.visionConfiguration.imageSize, shape = pixels.shape
        guard shape.first != 0 else { throw ConcordError(.emptyBatch, "no images; give at least one") }
        guard shape.count == 4, Array(shape[1...]) == [3, size, size] else {
            throw ConcordError(
                .shapeMismatch,
                "images \(shape) for a model that reads [batch, 3, \(size), \(size)]; preprocess them for it")
        }
        self.model = model
        cache = try throwingTensorErrors {
            withoutGradient { model.makeCaptionCache(for: model.encodeImages(pixels).tokens) }
        }
    }

    public var vocabularySize: Int { model.textTransformer.vocabularySize }
    public var contextLength: Int { model.textTransformer.contextLength }
    public var startToken: Int32 { Int32(model.textTransformer.startToken) }
    public var endToken: Int32 { Int32(model.textTransformer.endToken) }
    public var padToken: Int32? { model.textTransformer.captionPadToken }
    public var rowCount: Int { cache.rowCount }

    public func select(rows: [Int]) throws(ConcordError) {
        try throwingTensorErrors { cache.select(rows: rows) }
    }

    public func read(
        _ tokens: [Int32], logits body: (TokenLogits) throws(ConcordError) -> Void
    ) throws(ConcordError) {
        let count = tokens.count / rowCount
        try throwingTensorErrors { () throws(ConcordError) in
            let ids = Tensor(tokens.map(Int64.init), shape: [rowCount, count], device: model.languageHead.device)
            let states = try model.states(next: ids, cache: cache)
            let logits = withoutGradient { model.tokenLogits(states.selected(axis: 1, at: -1)) }  // [rows, vocabulary]
            let isDouble = logits.dtype == .float64
            var failure: ConcordError?
            (isDouble ? logits : logits.to(.float32)).withUnsafeBytes { bytes in
                do throws(ConcordError) {
                    try body(
                        isDouble
                            ? .float64(bytes.assumingMemoryBound(to: Double.self))
                            : .float32(bytes.assumingMemoryBound(to: Float.self)))
                } catch {
                    failure = error
                }
            }
            if let failure { throw failure }
        }
    }
}

/// ``withTensorErrors(_:)`` for what throws nothing else than ``ConcordError``.
private func throwingTensorErrors<Result>(
    _ body: () throws(ConcordError) -> Result
) throws(ConcordError) -> Result {
    do {
        return try withTensorErrors(body)
    } catch let error as ConcordError {
        throw error
    } catch {
        throw ConcordError(.tensorOperation, "\(error)")
    }
}
