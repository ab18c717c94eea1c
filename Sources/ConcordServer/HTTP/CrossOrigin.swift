import HTTPTypes
import HummingbirdCore

/// Which pages of other hosts may use the server from a browser (CORS); none unless some are named.
struct CrossOrigin: Sendable, Hashable {
    /// Such as `https://example.com`; `*` for all.
    var origins: [String] = []

    /// The answer to a browser that asks first; nil for other requests.
    func preflight(_ request: Request) -> Response? {
        guard request.method == .options, let origin = request.headers[.origin], allows(origin),
            request.headers[.accessControlRequestMethod] != nil
        else { return nil }
        var headers = HTTPFields()
        headers[.accessControlAllowMethods] = "GET, POST, OPTIONS"
        // Whatever the page would send, such as the `X-Stainless-…` of OpenAI's client: no field gives it more than a
        // program has that asks without a browser.
        headers[.accessControlAllowHeaders] =
            request.headers[.accessControlRequestHeaders] ?? "Authorization, Content-Type"
        headers[.accessControlMaxAge] = "600"
        return Response(status: .noContent, headers: headers)
    }

    /// Lets a browser show the answer to the page that asked.
    func allow(_ response: inout Response, for request: Request) {
        guard let origin = request.headers[.origin], allows(origin) else { return }
        response.headers[.accessControlAllowOrigin] = origins.contains("*") ? "*" : origin
        response.headers[.accessControlExposeHeaders] = Self.exposed
        response.headers[.vary] = "Origin"
    }

    /// What a page may read of an answer beside its body.
    private static let exposed = [
        HTTPField.Name.requestID, .retryAfter, .rateLimit, .rateRemaining, .rateReset, .inferenceHeaderLength,
    ].map(\.rawName).joined(separator: ", ")

    func allows(_ origin: String) -> Bool { origins.contains("*") || origins.contains(origin) }
}
