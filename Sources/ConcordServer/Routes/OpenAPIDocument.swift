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
                    "Embeds, compares and captions images and texts. A null field counts as absent. Request bodies may be "
                        + "compressed (Content-Encoding: gzip or deflate). X-Request-Id and traceparent are logged, and "
                        + "X-Request-Id is returned."),
            ],
            "paths": .object(paths),
            "components": [
                "securitySchemes": [
                    "key": [
                        "type": "http", "scheme": "bearer", "description": "An API key, if the server uses keys.",
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
            .init("200", ["description": "Success.", "content": content(route.responses)])
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
                    ? ("422", "Invalid request; the error names the field.")
                    : ("400", "Invalid request; the error names the field."),
                ("408", "The body arrived too slowly."), ("413", "The body or an image is too large."),
                ("415", "Unsupported content type or encoding."),
            ]
        }
        if route.access != .open {
            failures.append(("401", "An API key is required."))
            failures.append(("403", "The key lacks the required scope."))
        }
        if route.path.contains("{") || route.method == .post { failures.append(("404", "Unknown model.")) }
        if route.method == .post {
            failures.append(("429", "Rate limit exceeded; Retry-After says when to try again."))
            failures.append(("503", "The server is overloaded; Retry-After says when to try again."))
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

/// JSON schemas of answers, for the server's description. Those of requests are with the fields that are read.
enum Schemas {
    private static let text: JSONValue = ["type": "string"]
    private static let integer: JSONValue = ["type": "integer"]
    private static let number: JSONValue = ["type": "number"]
    private static let flag: JSONValue = ["type": "boolean"]
    private static let numbers: JSONValue = ["type": "array", "items": ["type": "number"]]
    /// Of captions: only where more tokens were asked for than the model has room for.
    private static let cut: JSONValue = [
        "type": "integer", "description": "The maximum number of tokens, if more were requested.",
    ]

    private static func object(
        _ properties: KeyValuePairs<String, JSONValue>, required: [String] = [], isOpen: Bool = false
    ) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init("type", "object"), .init("properties", .object(properties.map { .init($0.key, $0.value) })),
        ]
        if !required.isEmpty { members.append(.init("required", .array(required.map(JSONValue.string)))) }
        if !isOpen { members.append(.init("additionalProperties", false)) }
        return .object(members)
    }

    static let captionResponse = object(
        [
            "caption": text, "model": text, "tokens": integer, "log_probability": number,
            "finish_reason": ["enum": ["stop", "length"]], "image_pixels": integer, "milliseconds": number,
            "max_tokens": cut,
        ], required: ["caption", "model"])

    static let embeddingResponse = object(
        [
            "object": ["const": "list"],
            "data": [
                "type": "array",
                "items": object(
                    [
                        "object": ["enum": ["embedding", "error"]], "index": integer,
                        "embedding": ["oneOf": [numbers, text]], "truncated": flag, "error": errorObject,
                    ], required: ["object", "index"]),
            ],
            "model": text,
            "usage": object(["prompt_tokens": integer, "total_tokens": integer, "image_pixels": integer]),
        ], required: ["object", "data", "model", "usage"])

    static let cohereResponse = object(
        [
            "id": text,
            "embeddings": object([
                "float": ["type": "array", "items": numbers], "base64": ["type": "array", "items": text],
            ]),
            "response_type": ["const": "embeddings_by_type"], "meta": ["type": "object"],
        ], required: ["id", "embeddings"])

    private static let usage = object(["prompt_tokens": integer, "image_pixels": integer, "truncated_texts": integer])
    static let similarityResponse = object([
        "model": text, "similarities": ["type": "array", "items": numbers],
        "logits": ["type": "array", "items": numbers], "usage": usage,
    ])
    static let classifyResponse = object([
        "model": text,
        "results": [
            "type": "array",
            "items": object([
                "label": text,
                "scores": ["type": "array", "items": object(["label": text, "probability": number])],
            ]),
        ],
        "usage": usage,
    ])

    static let chatResponse = object(
        [
            "id": text, "object": text, "created": integer, "model": text,
            "choices": ["type": "array", "items": ["type": "object"]], "usage": ["type": "object"], "max_tokens": cut,
        ], required: ["id", "choices"])

    static let model = object(
        ["id": text, "object": ["const": "model"], "created": integer, "owned_by": text], required: ["id"], isOpen: true
    )
    static let modelList = object(["object": ["const": "list"], "data": ["type": "array", "items": model]])

    private static let tensor = object(
        [
            "name": text, "shape": ["type": "array", "items": integer], "datatype": text, "data": ["type": "array"],
            "parameters": ["type": "object"],
        ], required: ["name"])
    static let inferenceResponse = object([
        "model_name": text, "model_version": text, "id": text, "outputs": ["type": "array", "items": tensor],
    ])

    static let repositoryIndex: JSONValue = [
        "type": "array",
        "items": object(
            [
                "name": text, "version": text, "state": ["enum": ["READY", "LOADING", "UNAVAILABLE"]], "reason": text,
            ], required: ["name", "state"]),
    ]
    private static let errorObject = object([
        "message": text, "type": text, "param": ["type": ["string", "null"]], "code": ["type": ["string", "null"]],
    ])

    static func error(_ shape: ErrorShape) -> JSONValue {
        switch shape {
        case .openAI: object(["error": errorObject])
        case .inference: object(["error": text])
        case .fastAPI:
            object([
                "detail": [
                    "type": "array",
                    "items": object(["loc": ["type": "array"], "msg": text, "type": text]),
                ]
            ])
        }
    }
}
