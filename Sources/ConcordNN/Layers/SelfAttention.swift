import ConcordTensor

/// Multi-head self-attention on libtorch's fused kernel: `[batch, tokens, width] → [batch, tokens, width]`.
///
/// Keys `q_proj`, `k_proj`, `v_proj`, `out_proj`, as in Hugging Face's CLIP.
public struct SelfAttention {
    public let query, key, value, output: Linear
    public let heads: Int
    public let isCausal: Bool

    public init(
        _ scope: ParameterScope, width: Int, heads: Int, isCausal: Bool, input: Initializer,
        output outputWeight: Initializer?
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
        // One wide product runs faster than three narrow ones; joining the weights costs next to nothing beside it.
        let projected = Tensor.linear(x, weight: joined(\.weight), bias: joined(\.bias))
        let parts = projected.reshaped([batch, tokens, 3, heads, width / heads])
            .permuted([2, 0, 3, 1, 4])  // [B, T, 3 · C] → [B, T, 3, H, D] → [3, B, H, T, D]
        let mixed = Tensor.scaledDotProductAttention(
            query: parts.selected(axis: 0, at: 0), key: parts.selected(axis: 0, at: 1),
            value: parts.selected(axis: 0, at: 2), isCausal: isCausal)
        return output(mixed.transposed(1, 2).reshaped([batch, tokens, width]))  // [B, H, T, D] → [B, T, C]
    }

    private func joined(_ part: (Linear) -> Tensor?) -> Tensor {
        .concatenated([query, key, value].compactMap(part))
    }
}
