import ConcordCore

/// Which URLs pictures are fetched from, and how patiently.
public struct PictureFetchOptions: Sendable, Hashable {
    /// The only hosts that are asked, by name; `*.example.com` is every name below that one. Nil asks any host of the
    /// internet. What a name resolves to is checked in either case.
    public var hosts: [String]?
    public var ports: Set<Int> = [80, 443]
    /// The most bytes of a picture.
    public var maximumBytes = 20 << 20
    public var maximumRedirects = 3
    /// How long a fetch may take in all, redirects and waiting included.
    public var timeout = Duration.seconds(10)
    /// How many fetches go on at once; others wait.
    public var concurrentFetches = 16
    /// How many of them name one host, so that a slow one leaves places to the others. Where it redirects to does not count.
    public var concurrentFetchesPerHost = 4
    /// How many may wait.
    public var maximumWaiting = 64
    /// A port of this machine that may be asked, too: for tests, and for nothing else.
    public var loopbackPort: Int?

    public init() {}

    /// Throws `.invalidConfiguration` for values that make no sense.
    func validate() throws(ConcordError) {
        func require(_ isRight: Bool, _ problem: @autoclosure () -> String) throws(ConcordError) {
            guard !isRight else { return }
            throw ConcordError(.invalidConfiguration, "fetching pictures: " + problem())
        }
        for (name, value) in [
            ("maximumBytes", maximumBytes), ("concurrentFetches", concurrentFetches),
            ("concurrentFetchesPerHost", concurrentFetchesPerHost),
        ] { try require(value > 0, "\(name) is \(value), but must be above 0") }
        try require(maximumRedirects >= 0, "maximumRedirects is \(maximumRedirects), but must be 0 or more")
        try require(maximumWaiting >= 0, "maximumWaiting is \(maximumWaiting), but must be 0 or more")
        try require(timeout > .zero, "timeout is \(timeout), but must be above 0")
        for port in ports { try require((1...65535).contains(port), "\(port) is no port") }
        for host in hosts ?? [] {
            let name = host.hasPrefix("*.") ? host.dropFirst(2) : host[...]
            try require(
                !name.isEmpty && !name.contains("*") && !name.contains("/") && !name.contains(":"),
                "`\(host)` is no host; write a name such as images.example.com, or *.example.com for all below it")
        }
    }

    /// Whether a host, in lower case, is one of ``hosts``.
    func allows(host: String) -> Bool {
        guard let hosts else { return true }
        let name = host.hasSuffix(".") ? String(host.dropLast()) : host
        return hosts.contains { pattern in
            let pattern = pattern.lowercased()
            return pattern.hasPrefix("*.") ? name.hasSuffix(pattern.dropFirst()) : name == pattern
        }
    }
}
