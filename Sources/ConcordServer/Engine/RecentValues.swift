import Synchronization

/// A cache of the values used last.
package final class RecentValues<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct State {
        var values: [Key: (value: Value, used: Int)] = [:]
        var time = 0
    }

    private let capacity: Int
    private let state = Mutex(State())

    /// - Parameter capacity: the most values; 0 keeps none.
    package init(capacity: Int) { self.capacity = capacity }

    package var isUsed: Bool { capacity > 0 }

    package subscript(key: Key) -> Value? {
        get {
            state.withLock { state in
                guard let found = state.values[key] else { return nil }
                state.time += 1
                state.values[key]?.used = state.time
                return found.value
            }
        }
    }

    package func insert(_ value: Value, for key: Key) {
        guard capacity > 0 else { return }
        state.withLock { state in
            state.time += 1
            state.values[key] = (value, state.time)
            guard state.values.count > capacity else { return }
            // Some at a time, so that not every new value has to look for the oldest.
            let surplus = state.values.count - capacity + capacity / 10
            for (key, _) in state.values.sorted(by: { $0.value.used < $1.value.used }).prefix(surplus) {
                state.values[key] = nil
            }
        }
    }
}
