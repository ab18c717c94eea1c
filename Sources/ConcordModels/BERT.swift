import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor

/// BERT (Devlin et al. 2019) and RoBERTa: token ids `[batch, tokens]` → `[batch, width]`, pooled.
///
/// Follows `models/bert/modeling_bert.py` of transformers 5.23; parameter names are those of `BertModel`.
package struct BERT {
    package let configuration: BERTConfiguration
    private let wordEmbedding, positionEmbedding, typeEmbedding: Embedding
    private let embeddingNorm: LayerNorm
    private let blocks: [Block]
    private let pooler: Linear?
    private let store: ParameterStore

    /// A post-norm block: `norm(x + attention(x))`, then `norm(x + mlp(x))`; `[batch, tokens, width]`.
    private struct Block {
        let attention: SelfAttention
        let attentionNorm, outputNorm: LayerNorm
        let up, down: Linear
        let activation: Activation

        init(_ scope: ParameterScope, _ configuration: BERTConfiguration) {
            let width = configuration.width, epsilon = configuration.layerNormEpsilon
            attention = SelfAttention(
                scope / "attention", width: width, heads: configuration.heads, names: .bert, input: BERT.initializer,
                output: BERT.initializer)
            attentionNorm = LayerNorm(scope / "attention" / "output" / "LayerNorm", width, epsilon: epsilon)
            up = Linear(
                scope / "intermediate" / "dense", width, configuration.intermediateWidth,
                weightInitializer: BERT.initializer, biasInitializer: .zeros, target: .mlp)
            down = Linear(
                scope / "output" / "dense", configuration.intermediateWidth, width,
                weightInitializer: BERT.initializer, biasInitializer: .zeros, target: .mlp)
            outputNorm = LayerNorm(scope / "output" / "LayerNorm", width, epsilon: epsilon)
            activation = configuration.activation
        }

        func callAsFunction(_ x: Tensor, mask: Tensor?) -> Tensor {
            let h = attentionNorm(x + attention(x, mask: mask))
            return outputNorm(h + down(activation(up(h))))
        }
    }

    private static let initializer = Initializer.normal(standardDeviation: 0.02)

    init(_ scope: ParameterScope, _ configuration: BERTConfiguration) {
        let embeddings = scope / "embeddings", width = configuration.width
        func table(_ name: String, _ count: Int, resizing: ParameterStore.Resizing? = nil) -> Embedding {
            Embedding(embeddings / name, count, width, initializer: Self.initializer, resizing: resizing)
        }
        wordEmbedding = table("word_embeddings", configuration.vocabularySize)
        positionEmbedding = table("position_embeddings", configuration.positions) {
            // Only stretched: a table that is too long belongs to another configuration.
            ($0.shape.first ?? .max) < configuration.positions
                ? PositionResizing.line($0, count: configuration.positions, leading: configuration.firstPosition) : nil
        }
        typeEmbedding = table("token_type_embeddings", configuration.tokenTypes)
        embeddingNorm = LayerNorm(embeddings / "LayerNorm", width, epsilon: configuration.layerNormEpsilon)
        blocks = (0..<configuration.layers).map { Block(scope / "encoder" / "layer" / $0, configuration) }
        pooler =
            configuration.hasPooler
            ? Linear(
                scope / "pooler" / "dense", width, width, weightInitializer: Self.initializer, biasInitializer: .zeros)
            : nil
        store = scope.store
        self.configuration = configuration
    }

    /// - Parameter lengths: the length of each row without its padding, int64 `[batch]`; nil when no row is padded.
    package func callAsFunction(_ ids: Tensor, lengths: Tensor? = nil) -> Tensor {
        let tokens = ids.shape[1], first = configuration.firstPosition
        let positions = positionEmbedding.weight.sliced(axis: 0, from: first, to: first + tokens)
        let types = typeEmbedding.weight.selected(axis: 0, at: 0)
        let isReal = lengths.map { length in
            Tensor.arange(0, Double(tokens), dtype: .int64).to(ids.device).less(than: length.unsqueezed(1))  // [B, T]
        }
        let mask = isReal.map { $0.unsqueezed(1).unsqueezed(1) }  // [B, T] → [B, 1, 1, T]
        let embedded = embeddingNorm(wordEmbedding(ids) + types + positions)
        return pooled(blocks.reduce(embedded) { x, block in block(x, mask: mask) }, isReal)
    }

    /// The tokens' vector, `[batch, tokens, width] → [batch, width]`; padding does not count.
    private func pooled(_ tokens: Tensor, _ isReal: Tensor?) -> Tensor {
        switch configuration.pooling {
        case .cls: return tokens.selected(axis: 1, at: 0)
        case .pooler:
            let first = tokens.selected(axis: 1, at: 0)
            return pooler.map { $0(first).tanh() } ?? first
        case .mean:
            guard let isReal else { return tokens.mean(axes: [1]) }
            let weights = isReal.to(tokens.dtype).unsqueezed(2)  // [B, T, 1]
            return (tokens * weights).sum(axes: [1]) / weights.sum(axes: [1])
        case .max:
            guard let isReal else { return tokens.max(axes: [1]) }
            return tokens.maskedFilled(isReal.logicalNot().unsqueezed(2), -.infinity).max(axes: [1])
        }
    }
}

/// A separate text tower, as in sentence-transformers: token ids → unit vectors.
///
/// Parameter names are those of transformers' `BertModel`.
package struct SentenceEncoder: TextEncoder {
    package let configuration: BERTConfiguration
    package let store: ParameterStore
    private let bert: BERT

    package init(_ configuration: BERTConfiguration, store: ParameterStore) {
        self.configuration = configuration
        self.store = store
        bert = BERT(ParameterScope(store), configuration)
    }

    /// Unit vectors of token ids: `[batch, tokens] → [batch, width]`.
    package func embedTexts(_ ids: Tensor, lengths: Tensor? = nil) -> Tensor {
        bert(ids, lengths: lengths).normalized()
    }

    package var textConfiguration: TextTowerConfiguration { .bert(configuration) }
    package var architecture: ModelFolder.Architecture? { .sentenceEncoder(configuration) }
    package var embeddingWidth: Int { configuration.width }
}

extension BERTConfiguration: ModelConfiguration {
    package func makeModel(store: ParameterStore) -> SentenceEncoder { SentenceEncoder(self, store: store) }
}
