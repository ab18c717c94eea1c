/// Why a request was not answered, in words that a client may read: no paths, addresses or text of a library.
public struct ServingError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What went wrong, from which HTTP's status follows.
    public enum Kind: Sendable, Hashable {
        /// The client's mistake; `parameter` names the field that has it.
        case invalidInput(parameter: String?)
        case unknownModel
        /// What this model cannot do.
        case unsupported
        /// A picture, text or batch above a limit.
        case tooLarge
        /// The client has used up its own quota.
        case quotaExceeded
        /// The server has more work than it can do in time.
        case overloaded
        /// The request's own deadline passed before its work was done.
        case deadlineExceeded
        /// The model is being loaded.
        case loading
        /// The caller went away.
        case cancelled
        /// A fault of the server.
        case failed
    }

    public var kind: Kind
    public var message: String
    /// After which the same request may succeed; always set for `.quotaExceeded`, `.overloaded` and `.loading`.
    public var retryAfter: Duration?

    public init(_ kind: Kind, _ message: String, retryAfter: Duration? = nil) {
        self.kind = kind
        self.message = message
        self.retryAfter = retryAfter
    }

    public var description: String { message }
}
