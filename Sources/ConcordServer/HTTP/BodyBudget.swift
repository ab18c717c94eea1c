import Synchronization

/// The bytes that the bodies of all requests being read may take together.
final class BodyBudget: Sendable {
    private let capacity: Int
    private let used = Mutex(0)

    init(capacity: Int) { self.capacity = capacity }

    /// Takes more bytes for a body. Throws a failure with 503 when they are not free.
    func take(_ count: Int) throws(RequestFailure) {
        let fits = used.withLock { used in
            guard count <= capacity - used else { return false }
            used += count
            return true
        }
        guard fits else {
            throw .overloaded("Too many bytes are on their way; send the request again.", retryAfter: .seconds(1))
        }
    }

    func giveBack(_ count: Int) { used.withLock { $0 -= count } }
}
