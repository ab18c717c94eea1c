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
    func match(_ method: HTTPRequest.Method, path: String) -> Match? {
        let steps = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        // One slash at the end is forgiven.
        let trimmed = steps.last == "" ? steps.dropLast() : steps
        var methods: [HTTPRequest.Method] = []
        for (route, template) in zip(routes, segments) {
            guard let parameters = Self.parameters(template, trimmed) else { continue }
            if route.method == method || (route.method == .get && method == .head) {
                return Match(route: route, parameters: parameters, methods: [])
            }
            methods.append(route.method)
        }
        return methods.isEmpty ? nil : Match(route: nil, parameters: [:], methods: methods)
    }

    /// RFC 3986, 2.1; nil for what is no UTF-8, or has a percent sign without two digits.
    private static func percentDecoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = rest.prefix(2).compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
            guard digits.count == 2 else { return nil }
            bytes.append(UInt8(digits[0] << 4 | digits[1]))
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
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
