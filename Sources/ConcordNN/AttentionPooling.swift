import ConcordCheckpoint
import ConcordTensor

/// SigLIP's image head (multihead attention pooling, MAP): pools tokens by a learned query, `[batch, tokens, width] →
/// [batch, width]`.
///
/// The query attends to all tokens; a norm and a residual perceptron follow. Follows
/// `SiglipMultiheadAttentionPoolingHead` of transformers 5.23.
package struct MAPHead {
    private let probe: Tensor
    private let attention: CrossAttention
    private let norm: LayerNorm
    private let mlp: MultilayerPerceptron

    package init(
        _ scope: ParameterScope, width: Int, intermediateWidth: Int, heads: Int, activation: Activation,
        layerNormEpsilon: Double
    ) {
        probe = scope.parameter("probe", [1, 1, width], .normal(standardDeviation: 1 / Double(width).squareRoot()))
        attention = CrossAttention(
            scope / "attention", width: width, heads: heads, input: .xavierUniform(fanIn: width, fanOut: 3 * width))
        norm = LayerNorm(scope / "layernorm", width, epsilon: layerNormEpsilon)
        mlp = MultilayerPerceptron(
            scope / "mlp", width: width, intermediateWidth: intermediateWidth, activation: activation)
    }

    package func callAsFunction(_ x: Tensor) -> Tensor {
        let pooled = attention(probe, attention.context(of: x)).selected(axis: 1, at: 0)  // [B, 1, C] → [B, C]
        return pooled + mlp(norm(pooled))
    }
}

/// CoCa's attentional pooler (Yu et al. 2022): pools tokens by learned queries, `[batch, tokens, inputWidth] →
/// [batch, queries, width]`.
///
/// Queries and tokens are layer-normalized first; nothing follows the attention. Follows `AttentionalPooler` in
/// open_clip 3.3's `transformer.py`.
package struct AttentionalPooler {
    private let query: Tensor
    private let queryNorm, tokenNorm: LayerNorm
    private let attention: CrossAttention

    package init(
        _ scope: ParameterScope, queries: Int, inputWidth: Int, width: Int, heads: Int
    ) {
        query = scope.parameter("query", [queries, width], .normal(standardDeviation: 1))
        queryNorm = LayerNorm(scope / "query_norm", width)
        tokenNorm = LayerNorm(scope / "token_norm", inputWidth)
        // torch keeps the three projections apart where widths differ, and as one matrix where they do not.
        let fanOut = inputWidth == width ? 3 * width : width
        attention = CrossAttention(
            scope / "attention", width: width, contextWidth: inputWidth, heads: heads,
            input: .xavierUniform(fanIn: width, fanOut: fanOut),
            contextInput: .xavierUniform(fanIn: inputWidth, fanOut: fanOut))
    }

    package func callAsFunction(_ x: Tensor) -> Tensor {
        attention(queryNorm(query).unsqueezed(0), attention.context(of: tokenNorm(x)))  // [1, Q, C] → [B, Q, C]
    }
}
