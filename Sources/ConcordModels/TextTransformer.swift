import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor

/// The text transformer of CLIP, SigLIP and CoCa: token ids `[batch, tokens]` → `[batch, width]`.
///
/// With causal attention and a pooled position at or before the end token, padding never reaches it: a batch
/// padded to its longest caption gives the same vectors as one padded to the context length. A configuration that
/// `readsPadding` needs rows as long as the context. A class token's mask closes padding, so that rows of any length
/// give what rows padded to the context do. Keys below `text_model.`
package struct TextTransformer {
    package let configuration: TextTransformerConfiguration
    private let tokenEmbedding, positionEmbedding: Embedding
    private let classToken: Tensor?
    package let encoder: Transformer
    let finalNorm: LayerNorm

    init(_ scope: ParameterScope, _ configuration: TextTransformerConfiguration) {
        let embeddings = scope / "embeddings", width = configuration.width
        tokenEmbedding = Embedding(
            embeddings / "token_embedding", configuration.vocabularySize, width,
            initializer: .normal(standardDeviation: 0.02))
        positionEmbedding = Embedding(
            embeddings / "position_embedding", configuration.positions, width,
            initializer: .normal(standardDeviation: 0.01)
        ) {
            PositionResizing.line(
                $0, count: configuration.positions, trailing: configuration.positions - configuration.contextLength)
        }
        classToken = configuration.classTokenMask.map { _ in
            embeddings.parameter("class_embedding", [width], .normal(standardDeviation: 0.01))
        }
        encoder = Transformer(
            scope / "encoder",
            TransformerConfiguration(
                width: width, intermediateWidth: configuration.intermediateWidth, layers: configuration.layers,
                heads: configuration.heads, activation: configuration.activation,
                layerNormEpsilon: configuration.layerNormEpsilon, isCausal: configuration.isCausal,
                layerScale: configuration.layerScale, initialization: .depthScaledNormal))
        finalNorm = LayerNorm(scope / "final_layer_norm", width, epsilon: configuration.layerNormEpsilon)
        self.configuration = configuration
    }

    package func callAsFunction(_ ids: Tensor) -> Tensor {
        if classToken != nil { return withStates(ids).pooled }
        // Operations on single tokens run on the pooled one only.
        let token = encoder(embedded(ids)) { pooled($0, ids) }  // [B, T, C] → [B, 1, C]
        return finalNorm(token.selected(axis: 1, at: 0))
    }

    /// All tokens before the blocks, `[batch, tokens, width]`.
    func embedded(_ ids: Tensor) -> Tensor {
        tokenEmbedding(ids) + positionEmbedding.weight.sliced(axis: 0, from: 0, to: ids.shape[1])
    }

    /// The token that stands for the text, `[B, T, C] → [B, 1, C]`.
    private func pooled(_ encoded: Tensor, _ ids: Tensor) -> Tensor {
        switch configuration.pooling {
        case .first: return encoded.sliced(axis: 1, from: 0, to: 1)
        case .last: return encoded.selected(axis: 1, at: -1).unsqueezed(1)
        case .argmax: return token(of: encoded, at: ids.argmax(axis: 1))
        // argmax of 0/1 values is the first 1; a text without an end token is read at position 0, as in the peers.
        case .firstEndToken:
            return token(of: encoded, at: ids.equal(to: Double(configuration.endToken)).to(.int32).argmax(axis: 1))
        }
    }

    private func token(of encoded: Tensor, at positions: Tensor) -> Tensor {
        let (batch, width) = (encoded.shape[0], encoded.shape[2])
        let index = positions.reshaped([batch, 1, 1]).expanded(to: [batch, 1, width])
        return encoded.gathered(axis: 1, index)
    }

    // MARK: - CoCa: a class token, and states for a decoder

    /// The text's vector `[batch, width]`, and the states of its tokens for a decoder, `[batch, tokens, width]`, which
    /// see neither the class token nor, where it counts, padding.
    package func withStates(_ ids: Tensor) -> (pooled: Tensor, states: Tensor) {
        guard let classToken, let rule = configuration.classTokenMask else {
            preconditionFailure("the text tower has no class token")
        }
        let tokens = ids.shape[1], context = configuration.contextLength
        precondition(tokens <= context, "\(tokens) tokens, more than the context of \(context)")
        var read = ids
        if rule == .legacy, tokens < context {
            // This mask opens the first padding, so there must be one, as in rows that fill the context.
            let padding = Tensor.full(
                [ids.shape[0], 1], Double(configuration.padToken), dtype: .int64, device: ids.device)
            // Cut at the context, and so is all that is as long, for a graph of this that runs on rows which fill it.
            read = Tensor.concatenated([ids, padding], axis: 1).sliced(axis: 1, from: 0, to: context)
        }
        let count = read.shape[1], table = positionEmbedding.weight
        let embedded =
            tokenEmbedding(read) + table.sliced(axis: 0, from: 0, to: context).sliced(axis: 0, from: 0, to: count)
        let last = (classToken + table.selected(axis: 0, at: context)).to(embedded.dtype)
            .expanded(to: [read.shape[0], 1, configuration.width])
        let encoded = encoder(
            Tensor.concatenated([embedded, last], axis: 1), mask: mask(read, rule))  // [B, T + 1, C]
        return (
            finalNorm(encoded.selected(axis: 1, at: -1)), encoded.sliced(axis: 1, from: 0, to: tokens)
        )
    }

    /// The states of tokens that follow those in the caches, without the class token: `[batch, tokens, width]`.
    ///
    /// - Parameter ids: the new tokens alone `[batch, tokens]`, no padding among them.
    package func states(_ ids: Tensor, caches: [KeyValueCache]) -> Tensor {
        let start = caches.first?.count ?? 0
        let positions = positionEmbedding.weight.sliced(axis: 0, from: start, to: start + ids.shape[1])
        return encoder(tokenEmbedding(ids) + positions, caches: caches)
    }

    func makeCaches() -> [KeyValueCache] { encoder.makeCaches(capacity: configuration.contextLength) }

    /// The table of the tokens' vectors, `[vocabulary, width]`.
    var tokenTable: Tensor { tokenEmbedding.weight }

    /// The attention mask, the class token last: bool `[B, 1, T + 1, T + 1]`.
    private func mask(_ ids: Tensor, _ rule: TextTransformerConfiguration.ClassTokenMask) -> Tensor {
        let isText = ids.notEqual(to: Double(configuration.padToken))  // [B, T]
        let one = Tensor.full([ids.shape[0], 1], 1, dtype: .bool, device: ids.device)
        let isOpen = Tensor.concatenated(rule == .correct ? [isText, one] : [one, isText], axis: 1)
        let places = Tensor.arange(Double(configuration.contextLength + 1), device: ids.device)
            .sliced(axis: 0, from: 0, to: ids.shape[1] + 1)
        let isEarlier = places.lessOrEqual(to: places.unsqueezed(1))  // [T + 1, T + 1]
        return isEarlier.logicalAnd(isOpen.unsqueezed(1).unsqueezed(1))  // [B, 1, 1, T + 1] → [B, 1, T + 1, T + 1]
    }
}
