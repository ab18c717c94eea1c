import ConcordCore

/// A URL that an image may be fetched from, taken apart once, by rules so strict that libcurl cannot read it otherwise.
struct ImageURL: Hashable, Sendable {
    enum Scheme: String { case http, https }

    let scheme: Scheme
    /// In lower case; an IPv6 address without its brackets.
    let host: String
    let port: Int
    /// Path and query, `/` at least.
    let target: String

    /// The longest URL that is read, in bytes.
    static let maximumBytes = 2048

    /// Reads an absolute URL.
    ///
    /// - Throws: `.refusedAddress` for one of another scheme, with a user name, or with a host or characters that not
    ///   everybody would read alike.
    init(_ text: String) throws(ConcordError) {
        guard text.utf8.count <= Self.maximumBytes else {
            throw Self.refusal("is longer than \(Self.maximumBytes) bytes")
        }
        guard text.utf8.allSatisfy({ (0x21..<0x7F).contains($0) && !Array(#"\"<>^`{|}"#.utf8).contains($0) }) else {
            throw Self.refusal(
                "has white space, letters beyond ASCII, or other characters that must be percent-encoded")
        }
        guard let colon = text.firstIndex(of: ":"), let scheme = Scheme(rawValue: text[..<colon].lowercased()) else {
            throw Self.refusal("must begin with http:// or https://")
        }
        let rest = text[text.index(after: colon)...]
        guard rest.hasPrefix("//") else { throw Self.refusal("must begin with http:// or https://") }
        let end = rest.dropFirst(2).firstIndex { "/?#".contains($0) } ?? rest.endIndex
        let authority = rest[..<end].dropFirst(2)
        guard !authority.contains("@") else { throw Self.refusal("has a user name, which is not allowed") }
        self.scheme = scheme
        (host, port) = try Self.hostAndPort(authority, scheme)
        let target = rest[end...].prefix { $0 != "#" }
        self.target = target.hasPrefix("/") ? String(target) : "/" + target
    }

    private static func hostAndPort(
        _ authority: Substring, _ scheme: Scheme
    ) throws(ConcordError) -> (host: String, port: Int) {
        let host: Substring, rest: Substring
        if authority.hasPrefix("[") {
            guard let close = authority.firstIndex(of: "]") else { throw refusal("has a host that is no address") }
            host = authority[..<close].dropFirst()
            rest = authority[authority.index(after: close)...]
            guard IPAddress(String(host))?.isVersion4 == false else {
                throw refusal("has a host that is no address")
            }
        } else {
            let colon = authority.firstIndex(of: ":") ?? authority.endIndex
            host = authority[..<colon]
            rest = authority[colon...]
            try checkName(host)
        }
        let usual = scheme == .http ? 80 : 443
        guard !rest.isEmpty, rest != ":" else { return (host.lowercased(), usual) }
        guard rest.hasPrefix(":"), rest.dropFirst().utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = Int(rest.dropFirst()), (1...65535).contains(port)
        else { throw refusal("has a port that is no number from 1 to 65535") }
        return (host.lowercased(), port)
    }

    /// Throws unless a host is a name, or four decimal numbers: `2130706433`, `0x7f.1` and `0177.0.0.1` are addresses to
    /// some libraries and names to others.
    private static func checkName(_ host: Substring) throws(ConcordError) {
        let labels = host.split(separator: ".", omittingEmptySubsequences: false)
        // A dot at the end makes a name absolute.
        let name = labels.last == "" ? labels.dropLast() : labels[...]
        guard host.utf8.count <= 253, !name.isEmpty,
            name.allSatisfy({ label in
                (1...63).contains(label.utf8.count) && label.utf8.first != 0x2D && label.utf8.last != 0x2D
                    && label.utf8.allSatisfy { byte in
                        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                            || byte == 0x2D || byte == 0x5F
                    }
            })
        else { throw refusal("has a host that is no name") }
        let last = name.last.map { $0.lowercased() } ?? ""
        let isNumber =
            last.utf8.allSatisfy { (0x30...0x39).contains($0) }
            || last.hasPrefix("0x") && last.dropFirst(2).allSatisfy(\.isHexDigit)
        // `inet_pton` takes no number with a leading zero.
        guard !isNumber || IPAddress(String(host)) != nil else {
            throw refusal("has a host in numbers that is no address as it is usually written, such as 192.0.2.1")
        }
    }

    /// The host as URLs have it.
    private var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (scheme == .http ? 80 : 443) ? name : "\(name):\(port)"
    }

    var text: String { "\(scheme.rawValue)://\(authority)\(target)" }

    /// The target of a redirect.
    ///
    /// - Throws: as `init(_:)`; `.refusedAddress` for one from https to http.
    func redirected(to location: String) throws(ConcordError) -> ImageURL {
        let root = "\(scheme.rawValue)://\(authority)"
        let path = String(target.prefix { $0 != "?" })
        let next: String
        if location.hasPrefix("//") {
            next = scheme.rawValue + ":" + location
        } else if location.hasPrefix("/") {
            next = root + location
        } else if location.hasPrefix("?") {
            next = root + path + location
        } else if let colon = location.firstIndex(of: ":"), !location[..<colon].contains(where: { "/?#".contains($0) })
        {
            next = location
        } else {
            next = root + path[...(path.lastIndex(of: "/") ?? path.startIndex)] + location
        }
        let address = try ImageURL(next)
        guard scheme == .http || address.scheme == .https else {
            throw Self.refusal("redirects from https to http")
        }
        return address
    }

    static func refusal(_ problem: String) -> ConcordError {
        ConcordError(.refusedAddress, "the picture's URL \(problem); send the picture itself, or another URL")
    }
}
