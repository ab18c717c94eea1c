import ConcordCore

/// An HTTP URL, parsed as far as it takes to decide who may see a token.
package struct HubURL: Sendable, Hashable {
    /// The server: a token for one origin is not for another.
    package struct Origin: Hashable {
        let isSecure: Bool
        /// Lower case; an IPv6 address with its brackets.
        let host: String
        let port: Int
    }

    package let origin: Origin
    /// The part after the host: a path and perhaps a query; empty or beginning with `/` or `?`.
    let target: String

    /// The whole URL.
    package var text: String {
        let standard = origin.isSecure ? 443 : 80
        let port = origin.port == standard ? "" : ":\(origin.port)"
        return (origin.isSecure ? "https://" : "http://") + origin.host + port + target
    }

    /// The URL as it may stand in a message: a query can hold the signature that opens a private file.
    var publicText: String { String(text.prefix { $0 != "?" }).printable }

    var isLoopback: Bool {
        origin.host == "localhost" || origin.host.hasPrefix("127.") || origin.host == "[::1]"
    }

    /// Reads an absolute `http` or `https` address without user name; nil for anything else.
    package init?(_ text: String) {
        // Whatever is not plain ASCII must have been escaped by the one who sent it.
        guard text.utf8.allSatisfy({ (0x21..<0x7F).contains($0) && $0 != UInt8(ascii: "\\") }),
            let colon = text.firstRange(of: "://")
        else { return nil }
        let isSecure: Bool
        switch text[..<colon.lowerBound].lowercased() {
        case "https": isSecure = true
        case "http": isSecure = false
        default: return nil
        }
        let rest = text[colon.upperBound...]
        let end = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
        guard let (host, port) = Self.hostAndPort(rest[..<end]) else { return nil }
        origin = Origin(isSecure: isSecure, host: host, port: port ?? (isSecure ? 443 : 80))
        target = String(rest[end...].prefix { $0 != "#" })
    }

    private init(origin: Origin, target: String) {
        self.origin = origin
        self.target = target
    }

    /// Takes `host`, `host:port` or `[::1]:port` apart; nil where there is a user name or anything odd.
    private static func hostAndPort(_ text: Substring) -> (host: String, port: Int?)? {
        var host = text, port: Int?
        // The colons within brackets belong to the address.
        if let colon = text.lastIndex(of: ":"), !text[colon...].contains("]") {
            guard let number = Int(text[text.index(after: colon)...]), (1...65535).contains(number) else { return nil }
            (host, port) = (text[..<colon], number)
        }
        let inner = host.hasPrefix("[") && host.hasSuffix("]") ? host.dropFirst().dropLast() : host
        let isSixth = inner.utf8.count < host.utf8.count
        let allowed: (UInt8) -> Bool = { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"): true
            case UInt8(ascii: ":"): isSixth
            default: false
            }
        }
        guard !inner.isEmpty, inner.utf8.allSatisfy(allowed) else { return nil }
        return (host.lowercased(), port)
    }

    /// The address below this one with these parts, each escaped as Python's `quote(part, safe="")` does.
    func appending(_ parts: String..., query: String = "") -> HubURL {
        let path = parts.map { "/" + Self.escaped($0, keepsSlashes: false) }.joined()
        return HubURL(origin: origin, target: target + path + query)
    }

    /// The address below this one with a path whose slashes separate folders.
    func appending(path: String) -> HubURL {
        HubURL(origin: origin, target: target + "/" + Self.escaped(path, keepsSlashes: true))
    }

    private static func escaped(_ text: String, keepsSlashes: Bool) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes = [UInt8]()
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "~"):
                bytes.append(byte)
            case UInt8(ascii: "/") where keepsSlashes: bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The URL that a redirect leads to.
    ///
    /// - Parameter location: the `Location` header: an address, or a path on the same host.
    /// - Throws: `.invalidDownload` for another protocol than HTTP, and for leaving HTTPS.
    package func redirected(to location: String) throws(ConcordError) -> HubURL {
        func refusal(_ reason: String) -> ConcordError {
            let shown = String(location.prefix { $0 != "?" }).printable
            return ConcordError(
                .invalidDownload, "\(publicText) redirects to `\(shown)`, which is not followed: \(reason)")
        }
        let next: HubURL?
        if location.hasPrefix("//") {
            next = HubURL((origin.isSecure ? "https:" : "http:") + location)
        } else if location.hasPrefix("/") {
            next = HubURL(HubURL(origin: origin, target: "").text + location)
        } else {
            next = HubURL(location)
        }
        guard let next else { throw refusal("it is no http or https address") }
        guard next.origin.isSecure || !origin.isSecure else { throw refusal("it would leave the encrypted connection") }
        return next
    }
}
