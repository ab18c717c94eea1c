import ConcordCore
import ConcordMedia
import ConcordText

/// A model of an artifact folder, ready to embed, compare and caption, without libtorch.
///
/// All methods block while they work; call them from threads that are there for it. Any number may be called at once:
/// runs share the sessions' threads.
public final class ExportedModel: Sendable {
    public let folder: String
    public let manifest: ArtifactManifest
    public let tokenizer: any Tokenizer
    /// Nil for a model of texts alone.
    public let preprocessing: ImagePreprocessing?
    /// Tokens of the longest text, start and end token included.
    public let contextLength: Int

    /// Opens a folder that `concord export` wrote.
    ///
    /// - Throws: `.fileSystem`, `.malformedText`, `.invalidConfiguration` for a manifest or configuration that cannot be
    ///   used, `.invalidCheckpoint` for a file that is not the one exported, `.invalidModel`, `.unavailable` without
    ///   ONNX Runtime.
    public init(folder: String, options: ExportedModelOptions = ExportedModelOptions()) throws(ConcordError) {
        fatalError("being written")
    }

    public var embedsImages: Bool { manifest.graphs[.image] != nil }
    public var captions: Bool { manifest.graphs[.captionPrefill] != nil }

    /// Decodes and prepares an encoded picture; `name` is what errors call it.
    ///
    /// - Throws: `.invalidImage`; `.invalidConfiguration` for a model of texts alone.
    public func prepare(
        image bytes: UnsafeRawBufferPointer, name: String, limits: ImageLimits = .standard
    ) throws(ConcordError) -> PreparedImage {
        fatalError("being written")
    }

    /// The ids of a text.
    public func prepare(text: String) -> PreparedText {
        fatalError("being written")
    }

    /// The tokens that a caption begins with, the start token included. Throws `.invalidArgument` for a prompt without
    /// a token.
    public func prepare(prompt: String) throws(ConcordError) -> [Int32] {
        fatalError("being written")
    }

    /// Unit vectors `[width]` of pictures, in their order.
    public func embed(images: [PreparedImage]) throws(ConcordError) -> [[Float]] {
        fatalError("being written")
    }

    /// Unit vectors `[width]` of texts, in their order. Runs go by like lengths.
    public func embed(texts: [PreparedText]) throws(ConcordError) -> [[Float]] {
        fatalError("being written")
    }

    /// Scaled cosines of unit vectors, with the bias where the model has one: row by row `[images, texts]`.
    public func logits(images: [[Float]], texts: [[Float]]) -> [[Float]] {
        fatalError("being written")
    }

    /// What captions pictures token by token, as `TokenGenerator` takes it. It belongs to one thread.
    public func makeCaptionSession(for images: [PreparedImage]) throws(ConcordError) -> any DecodingSession {
        fatalError("being written")
    }

    /// Runs every graph in every batch bucket once, so that the first request is not slower than others.
    public func warmUp() throws(ConcordError) {
        fatalError("being written")
    }

    /// Throws `.inference` when the model does not say to the canary of its manifest what it said when it was exported.
    public func checkCanary() throws(ConcordError) {
        fatalError("being written")
    }
}
