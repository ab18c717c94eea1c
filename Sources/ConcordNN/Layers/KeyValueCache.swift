import ConcordTensor

/// The keys and values of the tokens that a causal attention layer has seen, so that each new token costs one row.
///
/// The room for `capacity` tokens is taken at once and filled in place. There are no gradients through a cache.
public final class KeyValueCache {
    /// The most tokens it can hold.
    public let capacity: Int
    /// How many tokens it holds.
    public private(set) var count = 0
    // Each [batch, heads, capacity, width]; the rows beyond `count` are not yet anything.
    private var keys, values: Tensor?

    public init(capacity: Int) { self.capacity = capacity }

    /// Puts the keys and values of new tokens behind those it holds, `[batch, heads, tokens, width]` each.
    ///
    /// - Returns: all of them, `[batch, heads, count, width]` each.
    public func append(_ key: Tensor, _ value: Tensor) -> (key: Tensor, value: Tensor) {
        let tokens = key.shape[2], start = count
        precondition(start + tokens <= capacity, "\(start) + \(tokens) tokens in a cache of \(capacity)")
        let keys = keys ?? Self.buffer(for: key, capacity), values = values ?? Self.buffer(for: value, capacity)
        (self.keys, self.values) = (keys, values)
        count += tokens
        return withoutGradient {
            keys.narrowed(axis: 2, from: start, count: tokens).copy(from: key)
            values.narrowed(axis: 2, from: start, count: tokens).copy(from: value)
            return (
                keys.narrowed(axis: 2, from: 0, count: count), values.narrowed(axis: 2, from: 0, count: count)
            )
        }
    }

    /// Takes the rows of the batch at `rows`, int64 `[new batch]`: the survivors of a beam search, or unfinished rows.
    public func select(rows: Tensor) {
        withoutGradient {
            keys = keys?.indexSelected(axis: 0, rows)
            values = values?.indexSelected(axis: 0, rows)
        }
    }

    private static func buffer(for tensor: Tensor, _ capacity: Int) -> Tensor {
        let shape = tensor.shape
        return .zeros([shape[0], shape[1], capacity, shape[3]], dtype: tensor.dtype, device: tensor.device)
    }
}
