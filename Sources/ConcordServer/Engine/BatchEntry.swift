import Synchronization

/// An item that somebody waits for: it is answered once, by whoever comes first.
final class BatchEntry<Output: Sendable>: Sendable {
    private enum State {
        case new
        case awaited(CheckedContinuation<Result<Output, ServingError>, Never>)
        case answered(Result<Output, ServingError>)
        case over
    }

    let lane: Lane
    let deadline: ContinuousClock.Instant?
    let arrival: ContinuousClock.Instant
    private let state = Mutex(State.new)

    init(_ context: WorkContext, arrival: ContinuousClock.Instant) {
        lane = context.lane
        deadline = context.deadline
        self.arrival = arrival
    }

    /// Whether nobody has answered yet.
    var isOpen: Bool {
        state.withLock { state in
            switch state {
            case .new, .awaited: true
            case .answered, .over: false
            }
        }
    }

    /// Has `continuation` get the answer. False where the answer was there already.
    func attach(_ continuation: CheckedContinuation<Result<Output, ServingError>, Never>) -> Bool {
        let early: Result<Output, ServingError>? = state.withLock { state in
            if case .answered(let result) = state {
                state = .over
                return result
            }
            state = .awaited(continuation)
            return nil
        }
        if let early { continuation.resume(returning: early) }
        return early == nil
    }

    /// Answers. False where somebody did before.
    @discardableResult
    func finish(_ result: Result<Output, ServingError>) -> Bool {
        let (isFirst, continuation): (Bool, CheckedContinuation<Result<Output, ServingError>, Never>?) =
            state.withLock { state in
                switch state {
                case .new:
                    state = .answered(result)
                    return (true, nil)
                case .awaited(let continuation):
                    state = .over
                    return (true, continuation)
                case .answered, .over: return (false, nil)
                }
            }
        continuation?.resume(returning: result)
        return isFirst
    }
}
