import ConcordTensor

/// The keys and values of the tokens that a causal attention layer has seen, so that each new token costs one row.
///
/// They are filled in place; the room doubles as tokens come. There are no gradients through a cache. While operations
/// are recorded nothing may change in place: then each append makes new tensors.
public final class KeyValueCache {
    /// The most tokens it can hold.
    public let capacity: Int
    /// How many tokens it holds.
    public private(set) var count = 0
    // Each [batch, heads, room, width]; the rows beyond `count` are not yet anything.
    private var keys, values: Tensor?

    /// The first room: rows are selected by copying it, so it should not be much more than short captions need.
    private static let firstRoom = 16

    public init(capacity: Int) { self.capacity = capacity }

    /// A cache that goes on from the keys and values of earlier tokens, `[batch, heads, tokens, width]` each.
    public init(capacity: Int, key: Tensor, value: Tensor) {
        self.capacity = capacity
        count = key.shape[2]
        (keys, values) = (key, value)
    }

    /// The keys and values that it holds, `[batch, heads, count, width]` each; nil before there are any.
    public var contents: (key: Tensor, value: Tensor)? {
        guard let keys, let values else { return nil }
        guard count < keys.size(2) else { return (keys, values) }
        return (keys.narrowed(axis: 2, from: 0, count: count), values.narrowed(axis: 2, from: 0, count: count))
    }

    /// Puts the keys and values of new tokens behind those it holds, `[batch, heads, tokens, width]` each.
    ///
    /// - Returns: all of them, `[batch, heads, count, width]` each.
    public func append(_ key: Tensor, _ value: Tensor) -> (key: Tensor, value: Tensor) {
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

    /// Takes the rows of the batch at `rows`, int64 `[new batch]`: the survivors of a beam search, or unfinished rows.
    public func select(rows: Tensor) {
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
