import ConcordCheckpoint
import ConcordTensor

/// What turns token ids into unit vectors: a dual encoder, or a text tower alone.
public protocol TextEncoder: EmbeddingEncoder {
    var textConfiguration: TextTowerConfiguration { get }

    /// Unit vectors of token ids: `[batch, tokens] → [batch, embeddingWidth]`.
    ///
    /// - Parameter lengths: how many ids of each row are the text's, int64 `[batch]`; nil when all are.
    func embedTexts(_ ids: Tensor, lengths: Tensor?) -> Tensor
}
