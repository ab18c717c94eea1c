import ConcordCore
import Synchronization

/// Limits concurrent transfers, in all and for each host. Transfers wait in the
/// order of arrival, but those that wait for their host hold up nobody else.
final class FetchSlots: Sendable {
    private struct Waiter {
        let id: Int
        let host: String
        /// Resumed with `nil` for a place, or with why there is none.
        let continuation: CheckedContinuation<ConcordError?, Never>
    }

    private struct State {
        var used = 0
        var usedByHost: [String: Int] = [:]
        var waiting: [Waiter] = []
        var nextID = 0
    }

    private let count: Int
    private let countPerHost: Int
    private let maximumWaiting: Int
    private let state = Mutex(State())

    init(count: Int, countPerHost: Int, maximumWaiting: Int) {
        self.count = count
        self.countPerHost = countPerHost
        self.maximumWaiting = maximumWaiting
    }

    var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Waits, without blocking, for a place with a host, which ``leave(_:)`` gives back.
    ///
    /// - Returns: why there is no place: `.fetch` when there is none in time, `.cancelled` with the task, `.unavailable`
    ///   when too many wait. `nil` when there is one.
    func enter(_ host: String, by end: ContinuousClock.Instant) async -> ConcordError? {
        let (id, isGranted) = state.withLock { state in
            state.nextID += 1
            return (state.nextID, take(host, &state))
        }
        if isGranted { return nil }
        let timer = Task { [weak self] in
            guard (try? await Task.sleep(until: end, clock: .continuous)) != nil else { return }
            self?.giveUp(id, ImageTransfer.late)
        }
        defer { timer.cancel() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                // Nil for one that waits.
                let answer: ConcordError?? = state.withLock { state in
                    // What gives up a waiter does nothing before there is one: so its reasons are looked at here, too.
                    if Task.isCancelled { return ImageTransfer.cancelled }
                    if ContinuousClock.now >= end { return ImageTransfer.late }
                    if take(host, &state) { return .some(nil) }
                    guard state.waiting.count < maximumWaiting else { return Self.crowded }
                    let waiter = Waiter(id: id, host: host, continuation: continuation)
                    state.waiting.append(waiter)
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            giveUp(id, ImageTransfer.cancelled)
        }
    }

    /// Gives a place back, to the first that waits for one it can have.
    func leave(_ host: String) {
        let next: Waiter? = state.withLock { state in
            state.used -= 1
            let left = (state.usedByHost[host] ?? 1) - 1
            state.usedByHost[host] = left > 0 ? left : nil
            // One place is free, so one that waits can have it, at most.
            for (index, waiter) in state.waiting.enumerated() where take(waiter.host, &state) {
                return state.waiting.remove(at: index)
            }
            return nil
        }
        next?.continuation.resume(returning: nil)
    }

    private func take(_ host: String, _ state: inout State) -> Bool {
        guard state.used < count, state.usedByHost[host, default: 0] < countPerHost else { return false }
        state.used += 1
        state.usedByHost[host, default: 0] += 1
        return true
    }

    private func giveUp(_ id: Int, _ reason: ConcordError) {
        let waiter = state.withLock { state in
            state.waiting.firstIndex { $0.id == id }.map { state.waiting.remove(at: $0) }
        }
        waiter?.continuation.resume(returning: reason)
    }

    static let crowded = ConcordError(
        .unavailable, "too many pictures are being fetched; try again, or send the picture itself")
}
