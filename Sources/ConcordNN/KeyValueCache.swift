import ConcordTensor

/// The keys and values of the tokens that a causal attention layer has seen, so that each new token costs one row.
///
/// Buffers are filled in place and double as tokens come. No gradients flow through a cache. While operations are
/// recorded nothing may change in place, so each append makes new tensors.
package final class KeyValueCache {
    /// The maximum number of tokens.
    package let capacity: Int
    /// The number of tokens.
    package private(set) var count = 0
    // Each [batch, heads, room, width]; rows from `count` on are undefined.
    private var keys, values: Tensor?

    /// The first capacity of the buffers: selecting rows copies them, so it should suit short captions.
    private static let firstRoom = 16

    package init(capacity: Int) { self.capacity = capacity }

    /// A cache with the keys and values of earlier tokens, `[batch, heads, tokens, width]` each.
    package init(capacity: Int, key: Tensor, value: Tensor) {
        self.capacity = capacity
        count = key.shape[2]
        (keys, values) = (key, value)
    }

    /// The keys and values, `[batch, heads, count, width]` each; nil for none.
    package var contents: (key: Tensor, value: Tensor)? {
        guard let keys, let values else { return nil }
        guard count < keys.size(2) else { return (keys, values) }
        return (keys.narrowed(axis: 2, from: 0, count: count), values.narrowed(axis: 2, from: 0, count: count))
    }

    /// Appends the keys and values of new tokens, `[batch, heads, tokens, width]` each.
    ///
    /// - Returns: all of them, `[batch, heads, count, width]` each.
    package func append(_ key: Tensor, _ value: Tensor) -> (key: Tensor, value: Tensor) {
        let tokens = key.shape[2], start = count
        precondition(start + tokens <= capacity, "\(start) + \(tokens) tokens in a cache of \(capacity)")
        guard !isRecordingOperations else {
            let all = (
                key: keys.map { .concatenated([$0, key], axis: 2) } ?? key,
                value: values.map { .concatenated([$0, value], axis: 2) } ?? value
            )
            (keys, values) = all
            count += tokens
            return all
        }
        return withoutGradient {
            let keys = withRoom(keys, for: key), values = withRoom(values, for: value)
            (self.keys, self.values) = (keys, values)
            count += tokens
            keys.narrowed(axis: 2, from: start, count: tokens).copy(from: key)
            values.narrowed(axis: 2, from: start, count: tokens).copy(from: value)
            return (
                keys.narrowed(axis: 2, from: 0, count: count), values.narrowed(axis: 2, from: 0, count: count)
            )
        }
    }

    /// Keeps the rows of the batch at `rows`, int64 `[new batch]`: the survivors of a beam search, or unfinished rows.
    package func select(rows: Tensor) {
        withoutGradient {
            keys = keys?.indexSelected(axis: 0, rows)
            values = values?.indexSelected(axis: 0, rows)
        }
    }

    private func withRoom(_ buffer: Tensor?, for new: Tensor) -> Tensor {
        let shape = new.shape, needed = count + shape[2], room = buffer?.size(2) ?? 0
        if let buffer, needed <= room { return buffer }
        let larger = Tensor.zeros(
            [shape[0], shape[1], min(capacity, max(needed, 2 * room, Self.firstRoom)), shape[3]], dtype: new.dtype,
            device: new.device)
        if let buffer, count > 0 {
            larger.narrowed(axis: 2, from: 0, count: count).copy(from: buffer.narrowed(axis: 2, from: 0, count: count))
        }
        return larger
    }
}
