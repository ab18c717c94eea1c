import Synchronization

/// Tells the request that a connection carries when the client has left.
final class ClientConnection: Sendable {
    private struct State {
        var isClosed = false
        var action: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    /// Has `action` done when the client leaves, at once when it has left; it takes the place of an earlier action.
    func whenClosed(_ action: @escaping @Sendable () -> Void) {
        let isClosed = state.withLock { state in
            state.action = state.isClosed ? nil : action
            return state.isClosed
        }
        if isClosed { action() }
    }

    /// Forgets the action of a request that is over.
    func forget() { state.withLock { $0.action = nil } }

    func close() {
        let action = state.withLock { state in
            state.isClosed = true
            defer { state.action = nil }
            return state.action
        }
        action?()
    }
}
