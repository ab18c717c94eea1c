import HTTPTypes

/// All addresses of the server, in the order in which they are described.
struct RouteTable: Sendable {
    struct Match: Sendable {
        /// Nil where the address takes other methods.
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

    /// The route of a path; nil for a path that no route has. `HEAD` goes to the route of `GET`.
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

    /// The steps with those that stand where the template has a model's name as one; nil where they are as many as the
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
