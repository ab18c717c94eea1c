import Synchronization

/// The bytes that the bodies of all requests being read may take together.
final class BodyBudget: Sendable {
    private let state: Mutex<(capacity: Int, used: Int)>

    init(capacity: Int) { state = Mutex((capacity, 0)) }

    func change(capacity: Int) { state.withLock { $0.capacity = capacity } }

    /// Takes more bytes for a body. Throws a failure with 503 when they are not free.
    func take(_ count: Int) throws(RequestFailure) {
        let fits = state.withLock { state in
            guard count <= state.capacity - state.used else { return false }
            state.used += count
            return true
        }
        guard fits else {
            throw .overloaded("Too many bytes are on their way; send the request again.", retryAfter: .seconds(1))
        }
    }

    func giveBack(_ count: Int) { state.withLock { $0.used -= count } }
}
