import ConcordNN

/// What gives unit vectors: of texts (``TextEncoder``), of pictures (``ImageEncoder``), or of both in one space
/// (``ImageTextEncoder``).
public protocol EmbeddingEncoder {
    var store: ParameterStore { get }
    var embeddingWidth: Int { get }
}
