import ConcordTensor

/// Multi-head self-attention on libtorch's fused kernel: `[batch, tokens, width] → [batch, tokens, width]`.
///
/// Keys `q_proj`, `k_proj`, `v_proj`, `out_proj`, as in Hugging Face's CLIP.
public struct SelfAttention {
    public let query, key, value, output: Linear
    public let heads: Int
    public let isCausal: Bool

    public init(
        _ scope: ParameterScope, width: Int, heads: Int, isCausal: Bool, input: Initializer, output outputWeight: Initializer?
    ) {
        func projection(_ name: String) -> Linear {
            Linear(scope / name, width, width, weightInitializer: input, biasInitializer: .zeros)
        }
        query = projection("q_proj")
        key = projection("k_proj")
        value = projection("v_proj")
        output = Linear(scope / "out_proj", width, width, weightInitializer: outputWeight, biasInitializer: .zeros)
        self.heads = heads
        self.isCausal = isCausal
    }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        let shape = x.shape
        let (batch, tokens, width) = (shape[0], shape[1], shape[2])
        func split(_ y: Tensor) -> Tensor {  // [B, T, C] → [B, T, H, D] → [B, H, T, D]
            y.reshaped([batch, tokens, heads, width / heads]).transposed(1, 2)
        }
        let mixed = Tensor.scaledDotProductAttention(
            query: split(query(x)), key: split(key(x)), value: split(value(x)), isCausal: isCausal)
        return output(mixed.transposed(1, 2).reshaped([batch, tokens, width]))  // [B, H, T, D] → [B, T, C]
    }
}
