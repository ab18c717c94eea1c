import ConcordCore
import Synchronization

/// Bytes that all requests share, given out first come first served.
package final class ByteBudget: Sendable {
    /// Bytes that were given out. They are free again when this object goes.
    package final class Grant: Sendable {
        private let count: Mutex<Int>
        private let budget: ByteBudget

        fileprivate init(_ count: Int, of budget: ByteBudget) {
            self.count = Mutex(count)
            self.budget = budget
        }

        deinit { shrink(to: 0) }

        /// Gives back all but `remaining` bytes.
        package func shrink(to remaining: Int) {
            let freed = count.withLock { count in
                let freed = max(count - remaining, 0)
                count -= freed
                return freed
            }
            budget.free(freed)
        }
    }

    private struct Waiter {
        let id: Int
        let count: Int
        let continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var used = 0
        var nextID = 0
        var waiting = Deque<Waiter>()
        /// Ids of those that were cancelled before they waited.
        var cancelled = Set<Int>()
    }

    package let capacity: Int
    private let state = Mutex(State())

    package init(capacity: Int) { self.capacity = capacity }

    /// Bytes that are given out.
    package var used: Int { state.withLock { $0.used } }

    /// The number of requests that wait for bytes.
    package var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Waits until `count` bytes are free, and those that came before have theirs.
    ///
    /// - Throws: `.tooLarge` for more than the whole; `.cancelled`.
    package func acquire(_ count: Int) async throws(ServingError) -> Grant {
        guard count <= capacity else {
            throw ServingError(.tooLarge, "The picture needs more memory than there is for pictures; make it smaller.")
        }
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        let isGranted = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = state.withLock { state in
                    if state.cancelled.remove(id) != nil { return false }
                    if state.waiting.isEmpty && state.used + count <= capacity {
                        state.used += count
                        return true
                    }
                    state.waiting.append(Waiter(id: id, count: count, continuation: continuation))
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            cancel(id)
        }
        // Cancelled too late to wait for anything: nobody else takes this mark away.
        state.withLock { _ = $0.cancelled.remove(id) }
        guard isGranted else { throw ServingError.cancelled }
        return Grant(count, of: self)
    }

    private func cancel(_ id: Int) {
        let ready: [CheckedContinuation<Bool, Never>] = state.withLock { state in
            var cancelled: CheckedContinuation<Bool, Never>?
            state.waiting.removeAll { waiter in
                guard waiter.id == id else { return false }
                cancelled = waiter.continuation
                return true
            }
            guard let cancelled else {
                state.cancelled.insert(id)
                return []
            }
            cancelled.resume(returning: false)
            // The one that went may have been all that held up those behind it.
            return next(&state)
        }
        for continuation in ready { continuation.resume(returning: true) }
    }

    private func free(_ count: Int) {
        guard count > 0 else { return }
        let ready = state.withLock { state in
            state.used -= count
            return next(&state)
        }
        for continuation in ready { continuation.resume(returning: true) }
    }

    private func next(_ state: inout State) -> [CheckedContinuation<Bool, Never>] {
        var ready = [CheckedContinuation<Bool, Never>]()
        while let first = state.waiting.first, state.used + first.count <= capacity {
            _ = state.waiting.popFirst()
            state.used += first.count
            ready.append(first.continuation)
        }
        return ready
    }
}
