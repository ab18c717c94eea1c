import ConcordCore
import HTTPTypes

/// How a family of routes writes its errors.
enum ErrorShape: Sendable {
    /// `{"error": {"message", "type", "param", "code"}}`.
    case openAI
    /// FastAPI's `{"detail": [{"loc", "msg", "type"}]}`, with 422 where others say 400.
    case fastAPI
    /// KServe's `{"error": "text"}`.
    case inference

    /// The shape for an address that no route has.
    static func unknown(path: String) -> ErrorShape { path == "/v2" || path.hasPrefix("/v2/") ? .inference : .openAI }

    func status(of failure: RequestFailure) -> Int {
        self == .fastAPI && failure.status == .badRequest ? 422 : Int(failure.status.code)
    }

    func body(of failure: RequestFailure, requestID: String) -> JSONValue {
        // What failed inside is nobody's business outside: the id leads to the log.
        if failure.status.code == 500, self != .inference { return ["error": ["request_id": .string(requestID)]] }
        return switch self {
        case .openAI: ["error": Self.openAIError(failure)]
        // Clients print what is under the name, and expect a text.
        case .inference:
            ["error": .string(failure.message + (failure.status.code == 500 ? " It is \(requestID)." : ""))]
        case .fastAPI:
            [
                "detail": [
                    [
                        "loc": .array(["body"] + Self.location(failure.parameter)), "msg": .string(failure.message),
                        "type": .string(failure.code ?? "value_error"),
                    ]
                ]
            ]
        }
    }

    static func openAIError(_ failure: RequestFailure) -> JSONValue {
        [
            "message": .string(failure.message), "type": .string(failure.type),
            "param": failure.parameter.map { .string($0.shortened()) } ?? .null,
            "code": failure.code.map(JSONValue.string) ?? .null,
        ]
    }

    /// `images[2].url` as its steps: names and numbers.
    private static func location(_ parameter: String?) -> [JSONValue] {
        guard let parameter else { return [] }
        return parameter.shortened().split { $0 == "." || $0 == "[" || $0 == "]" }.map { step in
            Int(step).map(JSONValue.integer) ?? .string(String(step))
        }
    }
}
