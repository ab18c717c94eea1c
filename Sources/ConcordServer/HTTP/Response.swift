import ConcordCore
import HTTPTypes
import HummingbirdCore
import NIOCore

extension Response {
    static func json(_ value: JSONValue, status: HTTPResponse.Status = .ok) -> Response {
        bytes(Array(value.text().utf8), type: "application/json", status: status)
    }

    static func bytes(_ bytes: [UInt8], type: String, status: HTTPResponse.Status = .ok) -> Response {
        var headers = HTTPFields()
        headers[.contentType] = type
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    /// Says when to ask again, in whole seconds, rounded up: earlier it would be refused again.
    mutating func setRetry(after time: Duration) {
        headers[.retryAfter] = String(max(1, time.components.seconds + (time.components.attoseconds > 0 ? 1 : 0)))
    }

    /// A page that loads nothing from elsewhere.
    static func page(_ html: String) -> Response {
        var response = bytes(Array(html.utf8), type: "text/html; charset=utf-8")
        response.headers[.contentSecurityPolicy] =
            "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src blob: data:; "
            + "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        response.headers[.frameOptions] = "DENY"
        response.headers[.referrerPolicy] = "no-referrer"
        return response
    }

    /// A stream of events; `write` sends each by the function that it is given.
    static func events(
        _ write: @escaping @Sendable (_ send: ([UInt8]) async throws -> Void) async throws -> Void
    ) -> Response {
        var headers = HTTPFields()
        headers[.contentType] = "text/event-stream"
        headers[.cacheControl] = "no-store"
        return Response(
            status: .ok, headers: headers,
            body: ResponseBody { writer in
                var output = writer
                try await write { try await output.write(ByteBuffer(bytes: $0)) }
                try await output.finish(nil)
            })
    }
}

// MARK: - Errors

extension ServingError {
    /// 400 and its kin for the client's mistakes, 429 for its quota, 503 for the server's own limits.
    var status: HTTPResponse.Status {
        switch kind {
        case .invalidInput, .unsupported: .badRequest
        case .unauthenticated: .unauthorized
        case .forbidden: .forbidden
        case .notFound, .unknownModel: .notFound
        case .methodNotAllowed: .methodNotAllowed
        case .conflict: .conflict
        case .tooLarge: .contentTooLarge
        case .unsupportedMediaType: .unsupportedMediaType
        case .quotaExceeded: .tooManyRequests
        case .overloaded, .deadlineExceeded, .loading: .serviceUnavailable
        // Nobody reads this: the client has left.
        case .cancelled: .init(code: 499, reasonPhrase: "Client Closed Request")
        case .failed: .internalServerError
        }
    }

    /// OpenAI's name for the kind of failure.
    var type: String {
        switch kind {
        case .unauthenticated: "authentication_error"
        case .forbidden: "permission_error"
        case .quotaExceeded: "rate_limit_error"
        case .overloaded, .deadlineExceeded, .loading, .conflict, .failed: "server_error"
        case .cancelled: "cancelled"
        default: "invalid_request_error"
        }
    }

    /// The text that a client gets: what failed inside is in the log, under the request's id.
    var publicMessage: String {
        kind == .failed ? "The server failed; its log has more under the request's id." : message
    }

    /// The headers of its response beside those of all.
    var headers: HTTPFields {
        switch kind {
        case .unauthenticated: [.wwwAuthenticate: "Bearer"]
        case .methodNotAllowed(let allowed): [.allow: allowed]
        case .unsupportedMediaType where code == "unsupported_encoding": [.acceptEncoding: "gzip, deflate"]
        default: [:]
        }
    }
}

/// The format of errors in a family of routes.
enum ErrorShape: Sendable {
    /// `{"error": {"message", "type", "param", "code"}}`.
    case openAI
    /// FastAPI's `{"detail": [{"loc", "msg", "type"}]}`, with 422 where others say 400.
    case fastAPI
    /// KServe's `{"error": "text"}`.
    case inference

    /// The shape for an address that no route has.
    static func unknown(path: String) -> ErrorShape { path == "/v2" || path.hasPrefix("/v2/") ? .inference : .openAI }

    func status(of failure: ServingError) -> Int {
        self == .fastAPI && failure.status == .badRequest ? 422 : Int(failure.status.code)
    }

    func body(of failure: ServingError, requestID: String) -> JSONValue {
        // What failed inside is nobody's business outside: the id leads to the log.
        if failure.kind == .failed, self != .inference { return ["error": ["request_id": .string(requestID)]] }
        return switch self {
        case .openAI: ["error": Self.openAIError(failure)]
        // Clients print what is under the name, and expect a text.
        case .inference:
            ["error": .string(failure.publicMessage + (failure.kind == .failed ? " It is \(requestID)." : ""))]
        case .fastAPI:
            [
                "detail": [
                    [
                        "loc": .array(["body"] + Self.location(failure.parameter)),
                        "msg": .string(failure.publicMessage),
                        "type": .string(failure.code),
                    ]
                ]
            ]
        }
    }

    static func openAIError(_ failure: ServingError) -> JSONValue {
        [
            "message": .string(failure.publicMessage), "type": .string(failure.type),
            "param": failure.parameter.map { .string($0.shortened()) } ?? .null,
            "code": .string(failure.code),
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

/// An event of a `text/event-stream`.
enum ServerSentEvent {
    /// - Parameter name: the event's type; `nil` for the usual one.
    static func bytes(_ data: JSONValue, name: String? = nil) -> [UInt8] {
        // JSON text has no line breaks but escaped ones, so one `data` line holds it.
        Array((name.map { "event: \($0)\n" } ?? "").utf8) + Array("data: \(data.text())\n\n".utf8)
    }

    /// The end of a stream in OpenAI's format.
    static let done = Array("data: [DONE]\n\n".utf8)
}
