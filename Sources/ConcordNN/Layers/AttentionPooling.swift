import ConcordCheckpoint
import ConcordTensor

/// Pools tokens by a learned query: `[batch, tokens, width] → [batch, width]` (SigLIP's image head, MAP).
///
/// The query attends to all tokens; a norm and a residual perceptron follow. Follows
/// `SiglipMultiheadAttentionPoolingHead` of transformers 5.23.
public struct AttentionPooling {
    private let probe: Tensor
    private let attention: CrossAttention
    private let norm: LayerNorm
    private let mlp: MultilayerPerceptron

    public init(
        _ scope: ParameterScope, width: Int, hidden: Int, heads: Int, activation: Activation, layerNormEpsilon: Double
    ) {
        probe = scope.parameter("probe", [1, 1, width], .normal(standardDeviation: 1 / Double(width).squareRoot()))
        attention = CrossAttention(
            scope / "attention", width: width, heads: heads, input: .xavierUniform(fanIn: width, fanOut: 3 * width))
        norm = LayerNorm(scope / "layernorm", width, epsilon: layerNormEpsilon)
        mlp = MultilayerPerceptron(scope / "mlp", width: width, hidden: hidden, activation: activation)
    }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        let pooled = attention(probe, attention.context(of: x)).selected(axis: 1, at: 0)  // [B, 1, C] → [B, C]
        return pooled + mlp(norm(pooled))
    }
}
