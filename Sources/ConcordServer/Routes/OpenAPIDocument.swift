import ConcordCore
import HTTPTypes

/// The server's description as OpenAPI 3.1, written from its routes.
enum OpenAPIDocument {
    static func make(_ routes: [Route]) -> JSONValue {
        var paths: [JSONValue.Member] = []
        var order: [String] = []
        for route in routes where !order.contains(route.path) { order.append(route.path) }
        for path in order {
            let operations = routes.filter { $0.path == path }.map {
                JSONValue.Member($0.method.rawValue.lowercased(), operation($0))
            }
            paths.append(.init(path, .object(operations)))
        }
        return [
            "openapi": "3.1.0",
            "info": [
                "title": "Concord", "version": "1",
                "description": .string(
                    "Embeds, compares and captions pictures and texts. A field of null is as if it were not there. Bodies "
                        + "may be compressed (Content-Encoding: gzip or deflate). X-Request-Id and traceparent go into "
                        + "the log, and the former into the answer."),
            ],
            "paths": .object(paths),
            "components": [
                "securitySchemes": [
                    "key": [
                        "type": "http", "scheme": "bearer", "description": "A key, where the server asks for keys.",
                    ]
                ]
            ],
        ]
    }

    private static func operation(_ route: Route) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init("summary", .string(route.summary)), .init("operationId", .string(identifier(route))),
        ]
        let parameters = route.path.split(separator: "/").filter { $0.hasPrefix("{") }.map { step -> JSONValue in
            [
                "name": .string(String(step.dropFirst().dropLast())), "in": "path", "required": true,
                "schema": ["type": "string"],
            ]
        }
        let others = route.query.map { parameter($0, in: "query") } + route.headers.map { parameter($0, in: "header") }
        if !(parameters + others).isEmpty { members.append(.init("parameters", .array(parameters + others))) }
        if !route.requests.isEmpty {
            members.append(
                .init("requestBody", ["required": .bool(route.isBodyRequired), "content": content(route.requests)]))
        }
        var responses: [JSONValue.Member] = [
            .init("200", ["description": "Done.", "content": content(route.responses)])
        ]
        for (status, text) in failures(route) {
            responses.append(
                .init(
                    status,
                    [
                        "description": .string(text),
                        "content": ["application/json": ["schema": Schemas.error(route.errors)]],
                    ]))
        }
        members.append(.init("responses", .object(responses)))
        if route.access != .open { members.append(.init("security", [["key": []], [:]])) }
        return .object(members)
    }

    private static func parameter(_ field: any DescribedField, in place: String) -> JSONValue {
        ["name": .string(field.name), "in": .string(place), "required": false, "schema": field.formSchema]
    }

    private static func failures(_ route: Route) -> [(String, String)] {
        var failures: [(String, String)] = []
        if route.method == .post {
            failures = [
                route.errors == .fastAPI
                    ? ("422", "The request cannot be used; the error says which field.")
                    : ("400", "The request cannot be used; the error says which field."),
                ("408", "The body came too slowly."), ("413", "The body or the picture is too large."),
                ("415", "The body is encoded or of a type that is not read."),
            ]
        }
        if route.access != .open {
            failures.append(("401", "A key is needed."))
            failures.append(("403", "The key is not meant for this."))
        }
        if route.path.contains("{") || route.method == .post { failures.append(("404", "There is no such model.")) }
        if route.method == .post {
            failures.append(("429", "The key's quota is used up; Retry-After says until when."))
            failures.append(("503", "The server has too much to do; Retry-After says until when."))
        }
        return failures.sorted { $0.0 < $1.0 }
    }

    private static func content(_ types: [(type: String, schema: JSONValue)]) -> JSONValue {
        .object(types.map { .init($0.type, ["schema": $0.schema]) })
    }

    private static func identifier(_ route: Route) -> String {
        let words = route.path.split { $0 == "/" || $0 == "{" || $0 == "}" || $0 == "." }
        return ([route.method.rawValue.lowercased()] + words.map(String.init)).joined(separator: "_")
    }
}
