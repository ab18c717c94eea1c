import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor

/// The text transformer of CLIP and SigLIP: token ids `[batch, tokens]` → `[batch, width]`.
///
/// With causal attention and a pooled position at or before the end token, what stands behind never reaches it: a batch
/// padded to its longest caption gives the same vectors as one padded to the context length. A configuration that
/// `readsPadding` needs rows as long as the context. Keys below `text_model.`.
public struct TextTransformer {
    public let configuration: TextTransformerConfiguration
    private let tokenEmbedding, positionEmbedding: Embedding
    private let encoder: Transformer
    private let finalNorm: LayerNorm

    init(_ scope: ParameterScope, _ configuration: TextTransformerConfiguration) {
        let embeddings = scope / "embeddings", width = configuration.width
        tokenEmbedding = Embedding(
            embeddings / "token_embedding", configuration.vocabularySize, width,
            initializer: .normal(standardDeviation: 0.02))
        positionEmbedding = Embedding(
            embeddings / "position_embedding", configuration.contextLength, width,
            initializer: .normal(standardDeviation: 0.01)
        ) { PositionResizing.line($0, count: configuration.contextLength) }
        encoder = Transformer(
            scope / "encoder",
            TransformerShape(
                width: width, hidden: configuration.intermediateWidth, layers: configuration.layers,
                heads: configuration.heads, activation: configuration.activation,
                layerNormEpsilon: configuration.layerNormEpsilon, isCausal: configuration.isCausal,
                layerScale: configuration.layerScale, initialization: .depthScaledNormal))
        finalNorm = LayerNorm(scope / "final_layer_norm", width, epsilon: configuration.layerNormEpsilon)
        self.configuration = configuration
    }

    public func callAsFunction(_ ids: Tensor) -> Tensor {
        let positions = positionEmbedding.weight.sliced(axis: 0, from: 0, to: ids.shape[1])
        let encoded = encoder(tokenEmbedding(ids) + positions)  // [B, T, C]
        // The norm works on each token alone, so it runs on the pooled one only.
        return finalNorm(pooled(encoded, ids))
    }

    /// The token that stands for the text, `[B, T, C] → [B, C]`.
    private func pooled(_ encoded: Tensor, _ ids: Tensor) -> Tensor {
        switch configuration.pooling {
        case .first: return encoded.selected(axis: 1, at: 0)
        case .last: return encoded.selected(axis: 1, at: -1)
        case .argmax: return token(of: encoded, at: ids.argmax(axis: 1))
        // argmax of 0/1 values is the first 1; a text without an end token is read at position 0, as in the peers.
        case .firstEndToken:
            return token(of: encoded, at: ids.equal(to: Double(configuration.endToken)).to(.int32).argmax(axis: 1))
        }
    }

    private func token(of encoded: Tensor, at positions: Tensor) -> Tensor {
        let (batch, width) = (encoded.shape[0], encoded.shape[2])
        let index = positions.reshaped([batch, 1, 1]).expanded(to: [batch, 1, width])
        return encoded.gathered(axis: 1, index).reshaped([batch, width])
    }
}
