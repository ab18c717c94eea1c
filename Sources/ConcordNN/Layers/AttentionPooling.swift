import ConcordCheckpoint
import ConcordTensor

/// Pools tokens by a learned query: `[batch, tokens, width] → [batch, width]` (SigLIP's image head, MAP).
///
/// The query attends to all tokens; a norm and a residual perceptron follow. Follows
/// `SiglipMultiheadAttentionPoolingHead` of transformers 5.23.
public struct AttentionPooling {
    private let probe: Tensor
    private let query, key, value, output: Linear
    private let norm: LayerNorm
    private let mlp: MultilayerPerceptron
    private let heads: Int

    public init(
        _ scope: ParameterScope, width: Int, hidden: Int, heads: Int, activation: Activation, layerNormEpsilon: Double
    ) {
        probe = scope.parameter("probe", [1, 1, width], .normal(standardDeviation: 1 / Double(width).squareRoot()))
        let attention = scope / "attention"
        func linear(_ name: String) -> Linear {
            Linear(
                attention / name, width, width, weightInitializer: .xavierUniform(fanIn: width, fanOut: 3 * width),
                biasInitializer: .zeros)
        }
        query = linear("q_proj")
        key = linear("k_proj")
        value = linear("v_proj")
        output = Linear(attention / "out_proj", width, width, biasInitializer: .zeros)
        norm = LayerNorm(scope / "layernorm", width, epsilon: layerNormEpsilon)
        mlp = MultilayerPerceptron(scope / "mlp", width: width, hidden: hidden, activation: activation)
        self.heads = heads
    }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        let (batch, tokens, width) = (x.shape[0], x.shape[1], x.shape[2])
        func split(_ y: Tensor, _ count: Int) -> Tensor {
            y.reshaped([y.shape[0], count, heads, width / heads]).transposed(1, 2)  // [B, T, C] → [B, H, T, D]
        }
        let asked = split(query(probe), 1).expanded(to: [batch, heads, 1, width / heads])
        let mixed = Tensor.scaledDotProductAttention(
            query: asked, key: split(key(x), tokens), value: split(value(x), tokens))
        let pooled = output(mixed.transposed(1, 2).reshaped([batch, width]))  // [B, H, 1, D] → [B, C]
        return pooled + mlp(norm(pooled))
    }
}
