import ConcordCheckpoint
import ConcordTensor

/// A pre-norm residual block that looks at a context: `x + attention(norm(x), norm(context))`, then `x + mlp(norm(x))`;
/// `[batch, tokens, width]`.
///
/// Follows `ResidualAttentionBlock` with `is_cross_attention` in open_clip 3.3's `transformer.py`.
public struct CrossAttentionBlock {
    private let norm1, contextNorm, norm2: LayerNorm
    private let attention: CrossAttention
    private let mlp: MultilayerPerceptron
    private let scale1, scale2: Tensor?

    /// - Parameter shape: sizes, activation and initialisation; causality does not matter here.
    public init(_ scope: ParameterScope, _ shape: TransformerShape) {
        let weights = shape.initialization.weights(width: shape.width, layers: shape.layers)
        norm1 = LayerNorm(scope / "layer_norm1", shape.width, epsilon: shape.layerNormEpsilon)
        contextNorm = LayerNorm(scope / "context_norm", shape.width, epsilon: shape.layerNormEpsilon)
        attention = CrossAttention(
            scope / "cross_attn", width: shape.width, heads: shape.heads, input: weights.attentionInput,
            output: weights.attentionOutput, hasAdapters: true)
        norm2 = LayerNorm(scope / "layer_norm2", shape.width, epsilon: shape.layerNormEpsilon)
        mlp = MultilayerPerceptron(
            scope / "mlp", width: shape.width, hidden: shape.hidden, activation: shape.activation, up: weights.mlpUp,
            down: weights.mlpDown, target: .mlp)
        func scale(_ name: String) -> Tensor? {
            shape.layerScale.map { (scope / name).parameter("weight", [shape.width], .constant($0)) }
        }
        scale1 = scale("layer_scale1")
        scale2 = scale("layer_scale2")
    }

    /// The keys and values of a context `[batch, context, width]`, for any number of calls.
    public func context(of x: Tensor) -> CrossAttention.Context { attention.context(of: contextNorm(x)) }

    /// - Parameter rows: which row of the context each of `x` asks; nil when each asks its own.
    public func callAsFunction(
        _ x: Tensor, _ context: CrossAttention.Context, rows: ContextRows? = nil
    ) -> Tensor {
        let normed = norm1(x)
        let attended =
            rows.map { $0.ungrouped(attention($0.grouped(normed), context), tokens: x.size(1)) }
            ?? attention(normed, context)
        let h = x + scaled(attended, scale1)
        return h + scaled(mlp(norm2(h)), scale2)
    }

    private func scaled(_ branch: Tensor, _ scale: Tensor?) -> Tensor { scale.map { branch * $0 } ?? branch }
}
