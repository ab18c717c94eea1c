import HTTPTypes
import HummingbirdCore

/// The field `Host` of a request, which every request of HTTP/1.1 has once (RFC 9112, 3.2).
enum HostField {
    /// Throws a failure with 400 where the field is missing, occurs twice, or is no host.
    static func check(_ request: Request) throws(RequestFailure) {
        guard let authority = request.head.authority, !request.headers.contains(.furtherHost) else {
            throw invalid("The request must have the field Host once.")
        }
        guard isHost(authority) else { throw invalid("The field Host of the request is no host.") }
    }

    private static func invalid(_ message: String) -> RequestFailure {
        .invalid(nil, message, code: "invalid_host")
    }

    /// Whether it is `HOST[:PORT]`, or empty, which says that there is none.
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
