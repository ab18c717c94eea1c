import ConcordTensor

/// Multi-head self-attention on libtorch's fused kernel: `[batch, tokens, width] → [batch, tokens, width]`.
public struct SelfAttention {
    /// The names of the four linear layers in a checkpoint.
    public struct Names: Sendable {
        let query, key, value, output: String

        /// `self_attn` of transformers' CLIP and SigLIP.
        public static let clip = Names(query: "q_proj", key: "k_proj", value: "v_proj", output: "out_proj")
        /// `attention` of transformers' BERT.
        public static let bert = Names(
            query: "self.query", key: "self.key", value: "self.value", output: "output.dense")
    }

    private let query, key, value, output: Linear
    private let heads: Int
    private let isCausal: Bool

    /// Which of the four linear layers have a bias.
    public enum Biases: Sendable {
        case all, outputOnly
        /// Those of keys change nothing, so some models have none.
        case allButKeys
    }

    /// Makes the layer; without initializers its weights start as torch's `nn.Linear` does. Biases start at zero.
    public init(
        _ scope: ParameterScope, width: Int, heads: Int, isCausal: Bool = false, names: Names = .clip,
        biases: Biases = .all, input: Initializer? = nil, output outputWeight: Initializer? = nil
    ) {
        func linear(
            _ name: String, _ weight: Initializer?, _ target: LowRankAdaptation.Target, hasBias: Bool = true
        ) -> Linear {
            Linear(
                scope / name, width, width, hasBias: hasBias, weightInitializer: weight, biasInitializer: .zeros,
                target: target)
        }
        query = linear(names.query, input, .q, hasBias: biases != .outputOnly)
        key = linear(names.key, input, .k, hasBias: biases == .all)
        value = linear(names.value, input, .v, hasBias: biases != .outputOnly)
        output = linear(names.output, outputWeight, .out)
        self.heads = heads
        self.isCausal = isCausal
    }

    /// - Parameter mask: true where a token may be attended to, `[batch, 1, 1, tokens]` or, for each attending token,
    ///   `[batch, 1, tokens, tokens]`; nil for all. A mask replaces causality: include it in the mask of a causal
    ///   layer.
    public func callAsFunction(_ x: Tensor, mask: Tensor? = nil) -> Tensor {
        let (query, key, value) = projected(x)
        return joinedHeads(
            .scaledDotProductAttention(
                query: query, key: key, value: value, mask: mask, isCausal: isCausal && mask == nil))
    }

    /// The attention of new tokens, to themselves and to those that the cache holds, which they join; causal.
    ///
    /// - Parameter x: the new tokens alone, `[batch, tokens, width]`.
    package func callAsFunction(_ x: Tensor, cache: KeyValueCache) -> Tensor {
        precondition(isCausal, "a cache needs causal attention: its tokens have not seen later ones")
        let tokens = x.shape[1], earlier = cache.count
        let (query, ownKey, ownValue) = projected(x)
        let (key, value) = cache.append(ownKey, ownValue)
        var mask: Tensor?
        if tokens > 1, earlier > 0 {
            let places = Tensor.arange(Double(earlier + tokens), device: x.device)
            mask = places.lessOrEqual(to: places.sliced(axis: 0, from: earlier).unsqueezed(1))  // [T, all]
        }
        return joinedHeads(
            .scaledDotProductAttention(
                query: query, key: key, value: value, mask: mask, isCausal: tokens > 1 && earlier == 0))
    }

    /// `[B, H, T, D] → [B, T, C]`, mapped by the output layer.
    private func joinedHeads(_ mixed: Tensor) -> Tensor {
        let shape = mixed.shape
        return output(mixed.transposed(1, 2).reshaped([shape[0], shape[2], shape[1] * shape[3]]))
    }

    /// Queries, keys and values, each `[B, H, T, D]`.
    private func projected(_ x: Tensor) -> (Tensor, Tensor, Tensor) {
        let (batch, tokens, width) = (x.shape[0], x.shape[1], x.shape[2])
        let shape = [batch, tokens, heads, width / heads]
        func split(_ y: Tensor) -> Tensor { y.reshaped(shape).transposed(1, 2) }  // [B, T, C] → [B, H, T, D]
        // A recorded graph is one for all sizes, so it is always the same path.
        guard shape[0] * shape[1] >= Self.fewestTokensToJoin, !isRecordingOperations,
            (key.bias == nil) == (value.bias == nil)
        else {
            return (split(query(x)), split(key(x)), split(value(x)))
        }
        let parts = Tensor.linear(x, weight: joined(\.weight), bias: key.bias == nil ? nil : joined(\.bias))
            .reshaped([shape[0], shape[1], 3, shape[2], shape[3]])
            .permuted([2, 0, 3, 1, 4])  // [B, T, 3 · C] → [B, T, 3, H, D] → [3, B, H, T, D]
        // Adapters stay apart from the joined product: each of the three may have one or not.
        func part(_ index: Int, _ linear: Linear) -> Tensor {
            let own = parts.selected(axis: 0, at: index)
            return linear.addition(x).map { own + split($0) } ?? own
        }
        return (part(0, query), part(1, key), part(2, value))
    }

    /// One wide product runs faster than three narrow ones, but the weights must be joined first, which costs more than
    /// it saves when there are few tokens.
    private static let fewestTokensToJoin = 512

    private func joined(_ part: (Linear) -> Tensor?) -> Tensor {
        .concatenated([query, key, value].compactMap(part))
    }
}

/// Multi-head attention of tokens to a context: `[batch, tokens, width]` and `[batch, context, contextWidth]` →
/// `[batch, tokens, width]`.
package struct CrossAttention {
    /// A context's keys and values, `[batch, heads, context, width / heads]` each: the same for every token, so
    /// computed once.
    package struct Context {
        package let key, value: Tensor

        package init(key: Tensor, value: Tensor) {
            self.key = key
            self.value = value
        }

        /// The rows of the batch at `rows`, int64 `[new batch]`.
        package func selecting(rows: Tensor) -> Context {
            Context(key: key.indexSelected(axis: 0, rows), value: value.indexSelected(axis: 0, rows))
        }
    }

    private let query, key, value, output: Linear
    private let heads: Int

    /// Makes the layer; without initializers its weights start as torch's `nn.Linear` does. Biases start at zero.
    ///
    /// - Parameters:
    ///   - contextWidth: nil for that of the tokens.
    ///   - input: initializer of queries; also of keys and values unless `contextInput` is given.
    package init(
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
    package func context(of x: Tensor) -> Context { Context(key: split(key(x)), value: split(value(x))) }

    /// - Parameters:
    ///   - x: tokens `[batch, tokens, width]`, or `[1, tokens, width]` for every row of the context.
    ///   - mask: true where the context may be attended to, `[batch, 1, 1, context]`; nil for all.
    package func callAsFunction(_ x: Tensor, _ context: Context, mask: Tensor? = nil) -> Tensor {
        let (batch, tokens, width) = (context.key.shape[0], x.shape[1], x.shape[2])
        let asked = split(query(x)).expanded(to: [batch, heads, tokens, width / heads])
        let mixed = Tensor.scaledDotProductAttention(
            query: asked, key: context.key, value: context.value, mask: mask)
        return output(mixed.transposed(1, 2).reshaped([batch, tokens, width]))  // [B, H, T, D] → [B, T, C]
    }

    private func split(_ y: Tensor) -> Tensor {
        let (batch, tokens, width) = (y.shape[0], y.shape[1], y.shape[2])
        return y.reshaped([batch, tokens, heads, width / heads]).transposed(1, 2)  // [B, T, C] → [B, H, T, D]
    }
}

/// The context of each row of a batch, so that the rows of one context, the beams of one image, share its keys and
/// values.
///
/// Attention to a context treats every token alike, so the rows of one context can be tokens of one row.
package struct BeamGrouping {
    /// The number of contexts, with or without rows.
    package let contextCount: Int
    /// The most rows of one context.
    private let width: Int
    /// The row in each place `[contexts · width]`, any row where there is none; and the place of each row. Nil when the
    /// rows are in order.
    private let order: (rows: Tensor, places: Tensor)?

    /// - Parameter contexts: the context of each row, below `contextCount`.
    package init(_ contexts: [Int], contextCount: Int, device: Device) {
        self.contextCount = contextCount
        var rows = [[Int64]](repeating: [], count: contextCount)
        for (row, context) in contexts.enumerated() { rows[context].append(Int64(row)) }
        let width = rows.map(\.count).max() ?? 0
        self.width = width
        guard contexts != (0..<contextCount * width).map({ $0 / width }) else {
            order = nil
            return
        }
        var places = [Int64](repeating: 0, count: contexts.count)
        for (context, members) in rows.enumerated() {
            for (place, row) in members.enumerated() { places[Int(row)] = Int64(context * width + place) }
        }
        let padded = rows.flatMap { $0 + [Int64](repeating: 0, count: width - $0.count) }
        order = (Tensor(padded, device: device), Tensor(places, device: device))
    }

    /// `[rows, tokens, width] → [contexts, rows of one · tokens, width]`.
    func grouped(_ x: Tensor) -> Tensor {
        let shape = x.shape
        let placed = order.map { x.indexSelected(axis: 0, $0.rows) } ?? x
        return placed.reshaped([contextCount, width * shape[1], shape[2]])
    }

    /// The inverse of ``grouped(_:)``, for tokens `[rows, tokens, …]`.
    func ungrouped(_ y: Tensor, tokens: Int) -> Tensor {
        let placed = y.reshaped([contextCount * width, tokens, y.size(2)])
        return order.map { placed.indexSelected(axis: 0, $0.places) } ?? placed
    }
}
