import ConcordTensor

/// Multi-head attention of tokens to a context: `[batch, tokens, width]` and `[batch, context, contextWidth]` →
/// `[batch, tokens, width]`.
public struct CrossAttention {
    /// A context's keys and values, `[batch, heads, context, width / heads]` each: the same for every token that asks,
    /// so computed once.
    public struct Context {
        public let key, value: Tensor

        public init(key: Tensor, value: Tensor) {
            self.key = key
            self.value = value
        }

        /// The rows of the batch at `rows`, int64 `[new batch]`.
        public func selecting(rows: Tensor) -> Context {
            Context(key: key.indexSelected(axis: 0, rows), value: value.indexSelected(axis: 0, rows))
        }
    }

    public let query, key, value, output: Linear
    public let heads: Int

    /// Makes the layer; without initializers its weights start as torch's `nn.Linear` does. Biases start at zero.
    ///
    /// - Parameters:
    ///   - contextWidth: nil for the tokens' own.
    ///   - input: of queries; of keys and values too, unless `contextInput` is given.
    public init(
        _ scope: ParameterScope, width: Int, contextWidth: Int? = nil, heads: Int, input: Initializer? = nil,
        contextInput: Initializer? = nil, output outputWeight: Initializer? = nil, hasAdapters: Bool = false
    ) {
        func linear(
            _ name: String, _ inputs: Int, _ weight: Initializer?, _ target: LowRankAdaptation.Target
        ) -> Linear {
            Linear(
                scope / name, inputs, width, weightInitializer: weight, biasInitializer: .zeros,
                target: hasAdapters ? target : nil)
        }
        let contextWidth = contextWidth ?? width, contextInput = contextInput ?? input
        query = linear("q_proj", width, input, .q)
        key = linear("k_proj", contextWidth, contextInput, .k)
        value = linear("v_proj", contextWidth, contextInput, .v)
        output = linear("out_proj", width, outputWeight, .out)
        self.heads = heads
    }

    /// The keys and values of a context `[batch, context, contextWidth]`.
    public func context(of x: Tensor) -> Context { Context(key: split(key(x)), value: split(value(x))) }

    /// - Parameter x: tokens `[batch, tokens, width]`, or `[1, tokens, width]` that ask every row of the context.
    public func callAsFunction(_ x: Tensor, _ context: Context) -> Tensor {
        let (batch, tokens, width) = (context.key.shape[0], x.shape[1], x.shape[2])
        let asked = split(query(x)).expanded(to: [batch, heads, tokens, width / heads])
        let mixed = Tensor.scaledDotProductAttention(query: asked, key: context.key, value: context.value)
        return output(mixed.transposed(1, 2).reshaped([batch, tokens, width]))  // [B, H, T, D] → [B, T, C]
    }

    private func split(_ y: Tensor) -> Tensor {
        let (batch, tokens, width) = (y.shape[0], y.shape[1], y.shape[2])
        return y.reshaped([batch, tokens, heads, width / heads]).transposed(1, 2)  // [B, T, C] → [B, H, T, D]
    }
}
