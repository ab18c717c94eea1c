import ConcordCheckpoint
import ConcordTensor

/// What turns pictures into unit vectors: a dual encoder, or an image tower alone.
public protocol ImageEncoder: EmbeddingEncoder {
    /// The image tower.
    var vision: VisionTransformer { get set }
    var visionConfiguration: VisionTransformerConfiguration { get }

    /// Unit vectors of normalised pictures: `[batch, 3, size, size] → [batch, embeddingWidth]`.
    func embedImages(_ pixels: Tensor) -> Tensor
}
