import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor

/// CLIP's text transformer: token ids `[batch, tokens]` → `[batch, width]`, read at the end token.
///
/// `tokens` may be anything up to the context length. Attention is causal, so what stands after the end token never
/// reaches it: a batch padded to its longest caption gives the same vectors as one padded to the context length.
/// Keys below `text_model.`.
public struct CLIPTextTower {
    private let configuration: CLIPConfiguration.TextConfiguration
    private let tokenEmbedding, positionEmbedding: Embedding
    private let encoder: Transformer
    private let finalNorm: LayerNorm

    init(_ scope: ParameterScope, _ configuration: CLIPConfiguration.TextConfiguration) {
        let embeddings = scope / "embeddings", width = configuration.width
        tokenEmbedding = Embedding(
            embeddings / "token_embedding", configuration.vocabularySize, width,
            initializer: .normal(standardDeviation: 0.02))
        positionEmbedding = Embedding(
            embeddings / "position_embedding", configuration.contextLength, width,
            initializer: .normal(standardDeviation: 0.01))
        encoder = Transformer(
            scope / "encoder",
            TransformerShape(
                width: width, hidden: configuration.intermediateWidth, layers: configuration.layers,
                heads: configuration.heads, activation: configuration.activation,
                layerNormEpsilon: configuration.layerNormEpsilon, isCausal: true, initialization: .depthScaledNormal))
        finalNorm = LayerNorm(scope / "final_layer_norm", width, epsilon: configuration.layerNormEpsilon)
        self.configuration = configuration
    }

    public func callAsFunction(_ ids: Tensor) -> Tensor {
        let (batch, tokens) = (ids.shape[0], ids.shape[1])
        let positions = positionEmbedding.weight.sliced(axis: 0, from: 0, to: tokens)
        let encoded = encoder(tokenEmbedding(ids) + positions)  // [B, T, C]
        let width = configuration.width
        let end = endPositions(ids).reshaped([batch, 1, 1]).expanded(to: [batch, 1, width])
        // The norm works on each token alone, so it runs on the pooled one only.
        return finalNorm(encoded.gathered(axis: 1, end).reshaped([batch, width]))
    }

    /// Where each caption ends: `[batch, tokens] → [batch]`, by the checkpoint's rule.
    private func endPositions(_ ids: Tensor) -> Tensor {
        switch configuration.endTokenPooling {
        case .argmax: ids.argmax(axis: 1)
        // argmax of 0/1 values is the first 1; a caption without an end token is read at position 0, as in the peer.
        case .firstEndToken: ids.equal(to: Double(configuration.endToken)).to(.int32).argmax(axis: 1)
        }
    }
}
