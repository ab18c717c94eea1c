import ConcordCore
import HTTPTypes
import HummingbirdCore

/// An address of the server with everything that is true of it: the server answers by it, and its description for
/// clients is written from it.
struct Route: Sendable {
    /// Who may ask.
    enum Access: Sendable, Hashable {
        case open
        /// Any valid key, where keys are asked for.
        case anyKey
        case scope(APIKey.Scope)
    }

    /// How large the body may be.
    enum Body: Sendable {
        case none, small, large

        func limit(_ configuration: ServerConfiguration) -> Int {
            switch self {
            case .none: 0
            case .small: 64 << 10
            case .large: configuration.bodyBytes
            }
        }
    }

    typealias Handler = @Sendable (RouteCall) async throws -> Response

    let method: HTTPRequest.Method
    /// The path, with placeholders in braces.
    let path: String
    let summary: String
    var access = Access.anyKey
    var errors = ErrorShape.openAI
    var body = Body.none
    /// Content types of the body, each with its JSON schema.
    var requests: [(type: String, schema: JSONValue)] = []
    /// Content types of the answer, each with its JSON schema.
    var responses: [(type: String, schema: JSONValue)] = [("application/json", ["type": "object"])]
    let handler: Handler
}
