import ConcordCheckpoint
import ConcordCore
import ConcordRuntime
import Synchronization

/// Fetches images by URL for a service, so that no URL makes the service ask what its clients could not ask themselves.
///
/// A host is resolved once, all of its addresses are checked, and the connection goes to one of those: a name that
/// resolves to another address a moment later gains nothing. Every redirect is checked as the first URL was. Proxies of
/// the environment are not used, nothing but HTTP and HTTPS is spoken, and no user name, cookie or key is sent. What comes
/// is bytes: whoever decodes them looks at those, never at what the other side calls them.
///
/// Errors do not say which check refused an address, nor why a connection failed: answers must not map a network.
package final class ImageFetcher: Sendable {
    package let options: ImageFetchOptions
    private let threads: WorkerThreads
    private let resolver: HostResolver
    private let places: FetchSlots

    /// - Throws: `.invalidConfiguration` for options that make no sense, `.unavailable` without libcurl.
    package convenience init(options: ImageFetchOptions = ImageFetchOptions()) throws(ConcordError) {
        try self.init(options: options, resolver: .system)
    }

    package init(options: ImageFetchOptions, resolver: HostResolver) throws(ConcordError) {
        try options.validate()
        try CurlTransfer.start()
        self.options = options
        self.resolver = resolver
        places = FetchSlots(
            count: options.concurrentFetches, countPerHost: options.concurrentFetchesPerHost,
            maximumWaiting: options.maximumWaiting)
        threads = WorkerThreads(count: options.concurrentFetches, name: "concord-fetch")
    }

    /// Fetches that wait for a place.
    package var waitingCount: Int { places.waitingCount }

    /// The bytes behind a URL. Waits without blocking.
    ///
    /// - Parameter deadline: when the answer is of no use any more; nil leaves it at the timeout of the options.
    /// - Throws: `.refusedAddress` for a URL that is not fetched; `.fetch` when nothing good came of it, in time and within
    ///   the limits; `.cancelled` with the task; `.unavailable` when too many wait.
    package func fetch(
        _ url: String, deadline: ContinuousClock.Instant? = nil
    ) async throws(ConcordError) -> [UInt8] {
        let address = try ImageURL(url)
        try check(address)
        let latest = ContinuousClock.now + options.timeout, end = min(latest, deadline ?? latest)
        // A dot at the end makes it no other host.
        let host = address.host.hasSuffix(".") ? String(address.host.dropLast()) : address.host
        if let problem = await places.enter(host, by: end) { throw problem }
        defer { places.leave(host) }
        let isCancelled = CancellationFlag()
        let result: Result<[UInt8], ConcordError> = await withTaskCancellationHandler {
            await threads.run { [self] in
                Result { () throws(ConcordError) in try fetch(address, end, isCancelled) }
            }
        } onCancel: {
            isCancelled.set()
        }
        return try result.get()
    }

    /// Asks for an address, and for those that it redirects to, in the place of the first.
    private func fetch(
        _ first: ImageURL, _ end: ContinuousClock.Instant, _ isCancelled: CancellationFlag
    ) throws(ConcordError) -> [UInt8] {
        var address = first
        for _ in 0...options.maximumRedirects {
            guard !isCancelled.isSet else { throw ImageTransfer.cancelled }
            let transfer = ImageTransfer(limit: options.maximumBytes, isCancelled: isCancelled)
            switch try transfer.perform(address, places: addresses(of: address, by: end), by: end) {
            case .image(let bytes): return bytes
            case .redirect(let location):
                address = try address.redirected(to: location)
                try check(address)
            }
        }
        throw ConcordError(
            .fetch, "the picture's URL redirects more than \(options.maximumRedirects) times; send the picture itself")
    }

    /// Throws `.refusedAddress` for what a URL alone says too much of.
    private func check(_ address: ImageURL) throws(ConcordError) {
        guard options.allows(host: address.host) else { throw Self.refusedHost }
        guard options.ports.contains(address.port) || address.port == options.loopbackPort else {
            throw ImageURL.refusal("has the port \(address.port), which is not one that is asked")
        }
    }

    /// The addresses of a host, all of which were checked.
    private func addresses(
        of address: ImageURL, by end: ContinuousClock.Instant
    ) throws(ConcordError) -> [IPAddress] {
        let places =
            if let literal = IPAddress(address.host) { [literal] } else {
                try resolver.resolve(address.host, by: end)
            }
        guard !places.isEmpty else { throw ImageTransfer.unreachable }
        for place in places {
            let isPermitted = place.isLoopback && address.port == options.loopbackPort
            // The port for tests is that of this machine, and of no other.
            guard isPermitted || place.isPublic && options.ports.contains(address.port) else { throw Self.refusedHost }
        }
        return places
    }

    private static let refusedHost = ImageURL.refusal("has a host that is not asked")
}

/// A flag that is set when the caller gives up.
final class CancellationFlag: Sendable {
    private let state = Atomic(false)
    var isSet: Bool { state.load(ordering: .acquiring) }
    func set() { state.store(true, ordering: .releasing) }
}

/// The URLs that images are fetched from, and the limits of a fetch.
public struct ImageFetchOptions: Sendable, Hashable {
    /// The only hosts that are asked, by name; `*.example.com` is every name below that one. Nil asks any host of the
    /// internet. What a name resolves to is checked in either case.
    public var hosts: [String]?
    public var ports: Set<Int> = [80, 443]
    /// The most bytes of an image.
    public var maximumBytes = 20 << 20
    public var maximumRedirects = 3
    /// Timeout of a fetch in all, redirects and waiting included.
    public var timeout = Duration.seconds(10)
    /// Concurrent fetches; others wait.
    public var concurrentFetches = 16
    /// Concurrent fetches that name one host, so that a slow host leaves room for others. Redirects do not count.
    public var concurrentFetchesPerHost = 4
    /// The most fetches that wait.
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

    /// True if a host, in lower case, is one of ``hosts``.
    func allows(host: String) -> Bool {
        guard let hosts else { return true }
        let name = host.hasSuffix(".") ? String(host.dropLast()) : host
        return hosts.contains { pattern in
            let pattern = pattern.lowercased()
            return pattern.hasPrefix("*.") ? name.hasSuffix(pattern.dropFirst()) : name == pattern
        }
    }
}

extension ConcordError.Code {
    /// A URL that is not one that this service fetches from.
    package static let refusedAddress = Self(rawValue: "refusedAddress")
    /// An image that did not come from where it was to be fetched.
    package static let fetch = Self(rawValue: "fetch")
}

extension ServingError {
    /// The error for clients of a failed fetch: the fetcher's texts are written for them.
    init(fetching error: ConcordError, parameter: String) {
        switch error.code {
        case .refusedAddress: self = .invalid(parameter, error.message + ".", code: "invalid_image_url")
        case .fetch: self = .invalid(parameter, error.message + ".", code: "image_fetch_failed")
        case .cancelled: self = .cancelled
        case .unavailable: self = .overloaded(error.message + ".", retryAfter: .seconds(1))
        default: self = .failed("\(error)")
        }
    }
}
