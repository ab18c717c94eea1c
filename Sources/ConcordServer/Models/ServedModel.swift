import ConcordRuntime
import ConcordText

/// A model with the queues in which requests for it wait.
public final class ServedModel: Sendable {
    public let name: String
    public let manifest: ArtifactManifest
    /// Tokens of the longest text, start and end token included.
    public let contextLength: Int

    init(name: String, manifest: ArtifactManifest, contextLength: Int) {
        self.name = name
        self.manifest = manifest
        self.contextLength = contextLength
    }

    public var embedsImages: Bool { manifest.graphs[.image] != nil }
    public var captions: Bool { manifest.graphs[.captionPrefill] != nil }

    /// The unit vector `[width]` of an encoded picture, and its width × height.
    public func embed(
        image bytes: [UInt8], parameter: String? = nil, _ context: WorkContext
    ) async throws(ServingError) -> (vector: [Float], pixels: Int) {
        fatalError("being written")
    }

    /// The unit vector `[width]` of a text, and the number of its tokens, special ones included.
    ///
    /// - Parameter truncates: whether a text above the context length loses its end; it is refused otherwise.
    public func embed(
        text: String, parameter: String? = nil, truncates: Bool = true, _ context: WorkContext
    ) async throws(ServingError) -> (vector: [Float], tokens: Int, isTruncated: Bool) {
        fatalError("being written")
    }

    /// The unit vector `[width]` of a text given by its tokens, special ones included.
    public func embed(
        tokens: [Int32], parameter: String? = nil, truncates: Bool = true, _ context: WorkContext
    ) async throws(ServingError) -> (vector: [Float], tokens: Int, isTruncated: Bool) {
        fatalError("being written")
    }

    /// The captions of an encoded picture: as many as the options ask for, at most.
    ///
    /// - Parameter prompt: what the captions begin with; not part of them.
    public func caption(
        image bytes: [UInt8], parameter: String? = nil, prompt: String? = nil, options: GenerationOptions,
        _ context: WorkContext
    ) async throws(ServingError) -> [ServedCaption] {
        fatalError("being written")
    }

    /// The caption of an encoded picture, as it comes. Throws before anything comes where the request is refused.
    ///
    /// Errors of the stream are ``ServingError``. Work ends when the stream is dropped. One result only.
    public func captionStream(
        image bytes: [UInt8], parameter: String? = nil, prompt: String? = nil, options: GenerationOptions,
        _ context: WorkContext
    ) async throws(ServingError) -> AsyncThrowingStream<CaptionEvent, any Error> {
        fatalError("being written")
    }

    /// Scaled cosines of unit vectors, with the bias where the model has one: row by row `[images, texts]`.
    public func logits(images: [[Float]], texts: [[Float]]) -> [[Float]] {
        fatalError("being written")
    }
}
