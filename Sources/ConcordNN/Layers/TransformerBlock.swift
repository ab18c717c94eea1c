import ConcordCheckpoint
import ConcordTensor

/// A pre-norm residual block: `x + attention(norm(x))`, then `x + mlp(norm(x))`; `[batch, tokens, width]`.
public struct TransformerBlock {
    public let norm1, norm2: LayerNorm
    public let attention: SelfAttention
    public let mlp: MultilayerPerceptron

    init(_ scope: ParameterScope, _ shape: TransformerShape) {
        let weights = shape.initialization.weights(width: shape.width, layers: shape.layers)
        norm1 = LayerNorm(scope / "layer_norm1", shape.width, epsilon: shape.layerNormEpsilon)
        attention = SelfAttention(
            scope / "self_attn", width: shape.width, heads: shape.heads, isCausal: shape.isCausal,
            input: weights.attentionInput, output: weights.attentionOutput)
        norm2 = LayerNorm(scope / "layer_norm2", shape.width, epsilon: shape.layerNormEpsilon)
        mlp = MultilayerPerceptron(
            scope / "mlp", width: shape.width, hidden: shape.hidden, activation: shape.activation, up: weights.mlpUp,
            down: weights.mlpDown)
    }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        let h = x + attention(norm1(x))
        return h + mlp(norm2(h))
    }
}
