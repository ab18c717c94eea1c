import ConcordCore
import HTTPTypes

/// Why a request gets no answer, in words that any client may see: no paths, no addresses, no text of a library.
struct RequestFailure: Error, Sendable {
    var status: HTTPResponse.Status
    var message: String
    /// OpenAI's name for the kind of failure.
    var type = "invalid_request_error"
    /// The field at fault, as a path such as `input[3]`.
    var parameter: String?
    var code: String?
    /// When the same request may succeed.
    var retryAfter: Duration?
    var headers = HTTPFields()

    /// A field with a value that cannot be used.
    static func invalid(_ parameter: String?, _ message: String, code: String? = "invalid_value") -> RequestFailure {
        RequestFailure(status: .badRequest, message: message, parameter: parameter, code: code)
    }

    static func missing(_ parameter: String) -> RequestFailure {
        .invalid(parameter, "The field \"\(parameter)\" is required.", code: "missing")
    }

    static func unknown(_ parameter: String, known: some Sequence<String>) -> RequestFailure {
        let nearest = NearestName.suggestion(for: parameter, among: known)
        return .invalid(
            parameter,
            "The field \"\(parameter.shortened())\" is unknown." + (nearest.map { " Did you mean \"\($0)\"?" } ?? ""),
            code: "unknown_parameter")
    }

    static func tooLarge(_ message: String, parameter: String? = nil) -> RequestFailure {
        RequestFailure(status: .contentTooLarge, message: message, parameter: parameter, code: "too_large")
    }

    static func overloaded(_ message: String, retryAfter: Duration) -> RequestFailure {
        RequestFailure(
            status: .serviceUnavailable, message: message, type: "server_error", code: "overloaded",
            retryAfter: retryAfter)
    }

    /// A fault of the server. The log says which; the client gets the request's id.
    static let failed = RequestFailure(
        status: .internalServerError, message: "The server failed; its log has more under the request's id.",
        type: "server_error", code: "internal_error")

    /// The client left before the answer was there; nobody reads this.
    static let cancelled = RequestFailure(
        status: .init(code: 499, reasonPhrase: "Client Closed Request"), message: "The client closed the request.",
        type: "cancelled", code: "cancelled")
}

extension String {
    /// The beginning of a text from a client that is quoted to it.
    func shortened(to count: Int = 64) -> String { self.count > count ? prefix(count) + "…" : self }
}
