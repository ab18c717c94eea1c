import HTTPTypes
import HummingbirdCore

/// The field `Host` of a request, which every request of HTTP/1.1 has once (RFC 9112, 3.2).
enum HostField {
    /// Throws an error with 400 where the field is missing, occurs twice, or is no host.
    static func check(_ request: Request) throws(ServingError) {
        guard let authority = request.head.authority, !request.headers.contains(.furtherHost) else {
            throw invalid("The request must have the field Host once.")
        }
        guard isHost(authority) else { throw invalid("The field Host of the request is no host.") }
    }

    private static func invalid(_ message: String) -> ServingError {
        .invalid(nil, message, code: "invalid_host")
    }

    /// True for `HOST[:PORT]`, and for nothing, which says that there is no host.
    private static func isHost(_ authority: String) -> Bool {
        var host = authority.utf8[...]
        if host.first == UInt8(ascii: "[") {
            guard let end = host.firstIndex(of: UInt8(ascii: "]")) else { return false }
            guard host[..<end].dropFirst().allSatisfy({ isHexadecimal($0) || $0 == 0x3A || $0 == 0x2E }) else {
                return false
            }
            host = host[host.index(after: end)...]
            guard host.isEmpty || host.first == UInt8(ascii: ":") else { return false }
            return host.dropFirst().allSatisfy(isDigit)
        }
        let name = host.prefix { $0 != UInt8(ascii: ":") }
        return name.allSatisfy(isOfName) && host.dropFirst(name.count + 1).allSatisfy(isDigit)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func isHexadecimal(_ byte: UInt8) -> Bool { isDigit(byte) || (0x61...0x66).contains(byte | 0x20) }

    /// RFC 3986's `reg-name`: unreserved characters, sub-delimiters and the percent sign.
    private static func isOfName(_ byte: UInt8) -> Bool {
        isDigit(byte) || (0x61...0x7A).contains(byte | 0x20) || "-._~!$&'()*+,;=%".utf8.contains(byte)
    }
}

/// Access to a server that asks for no key: programs of this machine may use it, but no web page that a browser on it
/// shows.
///
/// A page can have its own name lead to this machine (DNS rebinding), which the field `Host` gives away; and it can
/// send a form to any address, which the field `Origin` gives away.
struct KeylessAccess: Sendable {
    /// Names of the server beside addresses and `localhost`; `*` for any.
    let names: [String]
    let crossOrigin: CrossOrigin

    func check(_ request: Request) throws(ServingError) {
        let authority = request.head.authority.flatMap { $0.isEmpty ? nil : $0 }
        guard authority.map(isOwn) ?? true else {
            throw ServingError(
                .forbidden,
                "Without keys this server answers to addresses and localhost only, not to the host of this "
                    + "request; its setting host_names adds names.",
                code: "host_not_allowed")
        }
        guard ![.get, .head, .options].contains(request.method), let origin = request.headers[.origin] else { return }
        let isSame = authority.map { origin == "http://\($0)" || origin == "https://\($0)" } ?? false
        guard isSame || crossOrigin.allows(origin) else {
            throw ServingError(
                .forbidden,
                "Without keys this server takes nothing from pages of other hosts; its setting cross_origins "
                    + "names those that may.",
                code: "origin_not_allowed")
        }
    }

    /// True if `HOST[:PORT]` is an address, which no name server can give to another page, or a name of the server's.
    private func isOwn(_ authority: String) -> Bool {
        var host = authority.lowercased()
        if host.hasPrefix("["), let end = host.firstIndex(of: "]") {
            host = String(host[..<end].dropFirst())
        } else if let colon = host.lastIndex(of: ":") {
            host = String(host[..<colon])
        }
        return host == "localhost" || host.hasSuffix(".localhost") || IPAddress(host) != nil
            || names.contains { $0 == "*" || $0.lowercased() == host }
    }
}

/// The origins whose pages may use the server from a browser (CORS); none by default.
struct CrossOrigin: Sendable, Hashable {
    /// Such as `https://example.com`; `*` for all.
    var origins: [String] = []

    /// The answer to a browser that asks first; `nil` for other requests.
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

    /// Headers that a page may read.
    private static let exposed = [
        HTTPField.Name.requestID, .retryAfter, .rateLimit, .rateRemaining, .rateReset, .inferenceHeaderLength,
    ].map(\.rawName).joined(separator: ", ")

    func allows(_ origin: String) -> Bool { origins.contains("*") || origins.contains(origin) }
}
