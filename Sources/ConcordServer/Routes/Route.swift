import ConcordCore
import HTTPTypes
import HummingbirdCore

/// An address of the server with everything that is true of it: the server answers by it, and its description for
/// clients is written from it.
struct Route: Sendable {
    /// The callers that may ask.
    enum Access: Sendable, Hashable {
        case open
        /// Any valid key, where keys are asked for.
        case anyKey
        case scope(APIKey.Scope)
    }

    /// The size limit of the body.
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

/// All addresses of the server, in the order in which they are described.
struct RouteTable: Sendable {
    struct Match: Sendable {
        /// `nil` where the address takes other methods.
        let route: Route?
        let parameters: [String: String]
        let methods: [HTTPRequest.Method]
    }

    let routes: [Route]
    private let segments: [[Substring]]

    init(_ routes: [Route]) {
        self.routes = routes
        segments = routes.map { $0.path.split(separator: "/") }
    }

    static func server(_ state: ServerState) -> RouteTable {
        var routes = [
            PageRoutes.page, CaptionRoute.route, EmbeddingRoutes.openAI, EmbeddingRoutes.cohere,
            ComparisonRoutes.similarity, ComparisonRoutes.classify, ChatRoute.route, ModelRoutes.list, ModelRoutes.one,
        ]
        routes += InferenceRoutes.all + RepositoryRoutes.all + HealthRoutes.all + AdminRoutes.all + [PageRoutes.docs]
        // The description describes its own address, too.
        let described = routes + [PageRoutes.openAPI(of: [])]
        routes.append(PageRoutes.openAPI(of: described))
        return RouteTable(routes)
    }

    /// Only the figures, for a port of their own.
    static let metrics = RouteTable([HealthRoutes.metrics, HealthRoutes.live])

    /// The route of a path; `nil` for a path that no route has. `HEAD` goes to the route of `GET`.
    ///
    /// - Parameter isModel: whether there is a model of that name. A name that has slashes stands for several steps of a
    ///   path, and only names of models do.
    func match(_ method: HTTPRequest.Method, path: String, isModel: (String) -> Bool) -> Match? {
        let steps = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        // One slash at the end is forgiven.
        let trimmed = steps.last == "" ? steps.dropLast() : steps
        return match(method) { Self.parameters($0, trimmed) }
            ?? match(method) { template in
                Self.merged(trimmed, for: template).flatMap { Self.parameters(template, $0) }
                    .flatMap { isModel($0["model"] ?? "") ? $0 : nil }
            }
    }

    private func match(_ method: HTTPRequest.Method, _ parameters: ([Substring]) -> [String: String]?) -> Match? {
        var methods: [HTTPRequest.Method] = []
        for (route, template) in zip(routes, segments) {
            guard let parameters = parameters(template) else { continue }
            if route.method == method || (route.method == .get && method == .head) {
                return Match(route: route, parameters: parameters, methods: [])
            }
            methods.append(route.method)
        }
        return methods.isEmpty ? nil : Match(route: nil, parameters: [:], methods: methods)
    }

    /// The steps with those that stand where the template has a model's name as one; `nil` where they are as many as the
    /// template's already, or fewer.
    private static func merged(_ steps: ArraySlice<Substring>, for template: [Substring]) -> ArraySlice<Substring>? {
        guard steps.count > template.count, let place = template.firstIndex(of: "{model}") else { return nil }
        let start = steps.startIndex + place, end = start + steps.count - template.count
        let name = steps[start...end].joined(separator: "/")
        return steps[..<start] + [Substring(name)] + steps[(end + 1)...]
    }

    private static func percentDecoded(_ text: Substring) -> String? {
        String(validating: text.utf8.percentDecoded, as: UTF8.self)
    }

    private static func parameters(_ template: [Substring], _ steps: ArraySlice<Substring>) -> [String: String]? {
        guard template.count == steps.count else { return nil }
        var parameters: [String: String] = [:]
        for (wanted, step) in zip(template, steps) {
            if wanted.hasPrefix("{") {
                guard let value = percentDecoded(step), !value.isEmpty else { return nil }
                parameters[String(wanted.dropFirst().dropLast())] = value
            } else if wanted != step {
                return nil
            }
        }
        return parameters
    }
}
