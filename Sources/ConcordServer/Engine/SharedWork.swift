import Synchronization

/// Deduplicates concurrent work for the same key.
///
/// The work ends early when all who wait for it are cancelled.
package final class SingleFlight<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Flight {
        let id: Int
        let task: Task<Result<Value, ServingError>, Never>
        var waiters = 1
    }

    private struct State {
        var flights: [Key: Flight] = [:]
        var count = 0
    }

    private let state = Mutex(State())

    package init() {}

    /// The number of callers that wait for work under way.
    package var waiterCount: Int { state.withLock { $0.flights.values.reduce(0) { $0 + $1.waiters } } }

    /// The value of `key`: that of work that is under way, or of `compute`.
    package func value(
        for key: Key, _ compute: @escaping @Sendable () async throws(ServingError) -> Value
    ) async throws(ServingError) -> Value {
        let (flight, isJoined) = state.withLock { state in
            if let flight = state.flights[key] {
                state.flights[key]?.waiters += 1
                return (flight, true)
            }
            state.count += 1
            let id = state.count
            let task = Task { [self] in
                let result: Result<Value, ServingError>
                do throws(ServingError) { result = .success(try await compute()) } catch { result = .failure(error) }
                land(key, id)
                return result
            }
            let flight = Flight(id: id, task: task)
            state.flights[key] = flight
            return (flight, false)
        }
        let result = await withTaskCancellationHandler {
            await flight.task.value
        } onCancel: {
            leave(key, flight.id)
        }
        if Task.isCancelled { throw ServingError.cancelled }
        switch result {
        case .success(let value): return value
        case .failure(let error):
            guard isJoined else { throw error }
            if error.kind == .invalidInput { throw error }
            // What failed for another's deadline or place in a queue need not fail for this one.
            return try await compute()
        }
    }

    private func land(_ key: Key, _ id: Int) {
        state.withLock { state in
            if state.flights[key]?.id == id { state.flights[key] = nil }
        }
    }

    private func leave(_ key: Key, _ id: Int) {
        state.withLock { state in
            guard state.flights[key]?.id == id else { return }
            state.flights[key]?.waiters -= 1
            if let flight = state.flights[key], flight.waiters == 0 {
                // Whoever comes now starts anew.
                state.flights[key] = nil
                flight.task.cancel()
            }
        }
    }
}

/// A cache of the values used last.
package final class LRUCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
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
