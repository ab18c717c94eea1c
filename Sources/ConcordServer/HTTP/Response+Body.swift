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
