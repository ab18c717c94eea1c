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
    typealias Content = (type: String, schema: JSONValue)

    let method: HTTPRequest.Method
    /// The path, with placeholders in braces.
    let path: String
    let summary: String
    let access: Access
    let errors: ErrorShape
    let body: Body
    /// Content types of the body, each with its JSON schema.
    let requests: [Content]
    let isBodyRequired: Bool
    /// Fields that are read from the query, and from the head of the request.
    let query, headers: [any DescribedField]
    /// Content types of the answer, each with its JSON schema.
    let responses: [Content]
    let handler: Handler

    static let someObject: [Content] = [("application/json", ["type": "object"])]

    /// A route without a body.
    init(
        get path: String, summary: String, access: Access = .anyKey, errors: ErrorShape = .openAI,
        responses: [Content] = someObject, handler: @escaping Handler
    ) {
        method = .get
        self.path = path
        self.summary = summary
        self.access = access
        self.errors = errors
        body = .none
        requests = []
        isBodyRequired = false
        (query, headers) = ([], [])
        self.responses = responses
        self.handler = handler
    }

    /// A route that has a body.
    ///
    /// - Parameters:
    ///   - reader: reads the requests, and describes them.
    ///   - handler: answers what was read.
    init<Request>(
        post path: String, summary: String, access: Access, errors: ErrorShape = .openAI, body: Body,
        reading reader: BodyReader<Request>, responses: [Content] = someObject,
        handler: @escaping @Sendable (RouteCall, Request) async throws -> Response
    ) {
        method = .post
        self.path = path
        self.summary = summary
        self.access = access
        self.errors = errors
        self.body = body
        requests = reader.types
        isBodyRequired = reader.isRequired
        query = reader.query
        // What work is asked for, its head may say more of; see `RouteCall.workContext(items:)`.
        let asksForWork = access == .scope(.embed) || access == .scope(.caption)
        headers = reader.headers + (asksForWork ? WorkHeaders.definition.fields : [])
        self.responses = responses
        self.handler = { call in try await handler(call, call.read(reader)) }
    }
}
