import ConcordCheckpoint
import ConcordTensor

/// A pre-norm residual block: `x + attention(norm(x))`, then `x + mlp(norm(x))`; `[batch, tokens, width]`.
///
/// With layer scale (Touvron et al. 2021) each branch is multiplied by a learned vector first.
public struct TransformerBlock {
    public let norm1, norm2: LayerNorm
    public let attention: SelfAttention
    public let mlp: MultilayerPerceptron
    /// `[width]` each, or nil.
    public let scale1, scale2: Tensor?

    init(_ scope: ParameterScope, _ shape: TransformerShape) {
        let weights = shape.initialization.weights(width: shape.width, layers: shape.layers)
        norm1 = LayerNorm(scope / "layer_norm1", shape.width, epsilon: shape.layerNormEpsilon)
        attention = SelfAttention(
            scope / "self_attn", width: shape.width, heads: shape.heads, isCausal: shape.isCausal,
            input: weights.attentionInput, output: weights.attentionOutput)
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

    /// - Parameter mask: as ``SelfAttention`` takes it.
    public func callAsFunction(_ x: Tensor, mask: Tensor? = nil) -> Tensor {
        behind(x + scaled(attention(norm1(x), mask: mask), scale1))
    }

    /// The tokens that `choose` takes out of the block's result: `choose(self(x, mask: mask))`, without the perceptron's work
    /// on the others.
    ///
    /// - Parameter choose: some tokens of each row, `[batch, tokens, width] → [batch, chosen, width]`.
    public func callAsFunction(_ x: Tensor, mask: Tensor? = nil, choose: (Tensor) -> Tensor) -> Tensor {
        behind(choose(x + scaled(attention(norm1(x), mask: mask), scale1)))
    }

    /// New tokens behind those of a cache; see ``SelfAttention``.
    public func callAsFunction(_ x: Tensor, cache: KeyValueCache) -> Tensor {
        behind(x + scaled(attention(norm1(x), cache: cache), scale1))
    }

    /// The perceptron's half, which works on each token alone.
    private func behind(_ h: Tensor) -> Tensor { h + scaled(mlp(norm2(h)), scale2) }

    private func scaled(_ branch: Tensor, _ scale: Tensor?) -> Tensor {
        guard let scale else { return branch }
        return branch * scale
    }
}
