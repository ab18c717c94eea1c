import ConcordCore
import ConcordRuntime
import Logging
import Synchronization

/// The state that all requests of a server share.
final class ServerState: Sendable {
    /// One version of everything that a reload can change. A request takes the version that is current when it
    /// arrives, and keeps it until it is answered: one reference, so that nothing is copied on the way.
    final class Settings: Sendable {
        let configuration: ServerConfiguration
        let crossOrigin: CrossOrigin
        /// `nil` for a server that asks for keys.
        let keylessAccess: KeylessAccess?
        /// `nil` for a server that asks for no keys.
        let keys: APIKeys?
        /// `nil` where images come in requests only.
        let fetcher: ImageFetcher?

        /// Reads the file of keys. Throws as `APIKeys.init(path:)` and `ImageFetcher.init(options:)`.
        ///
        /// - Parameter earlier: the version in use so far; its fetcher stays if its options are the same.
        init(_ configuration: ServerConfiguration, after earlier: Settings? = nil) throws(ConcordError) {
            self.configuration = configuration
            crossOrigin = CrossOrigin(origins: configuration.crossOrigins)
            keylessAccess =
                configuration.keys == nil
                ? KeylessAccess(names: configuration.hostNames, crossOrigin: crossOrigin) : nil
            keys = try configuration.keys.map { path throws(ConcordError) in try APIKeys(path: path) }
            if let earlier, earlier.configuration.imageFetching == configuration.imageFetching {
                fetcher = earlier.fetcher
                return
            }
            fetcher = try configuration.imageFetching.map { options throws(ConcordError) in
                try ImageFetcher(options: options)
            }
        }
    }

    private let current: Mutex<Settings>
    let registry: ModelRegistry
    let limiter = RateLimiter()
    let metrics: ServerMetrics
    let logger: Logger
    private let logLevel: LogLevel?
    let bodies: BodyByteLimit
    /// For JSON and base64 that would hold up an event loop.
    let wire = WorkerThreads(count: CPUCount.available, name: "wire")
    private let draining = Atomic(false)

    /// - Parameter logLevel: that of the logger, where it follows the settings.
    init(
        _ settings: Settings, registry: ModelRegistry, metrics: ServerMetrics, logger: Logger, logLevel: LogLevel? = nil
    ) {
        self.logLevel = logLevel
        current = Mutex(settings)
        self.registry = registry
        self.metrics = metrics
        self.logger = logger
        bodies = BodyByteLimit(capacity: settings.configuration.bodiesBytes)
    }

    /// The current version of the settings.
    var settings: Settings { current.withLock { $0 } }

    /// Takes over settings, and reads the file of keys, for requests that come from now on.
    ///
    /// Throws, and changes nothing, for keys or hosts that cannot be used.
    func change(to configuration: ServerConfiguration) throws(ConcordError) {
        let changed = try Settings(configuration, after: settings)
        current.withLock { $0 = changed }
        logLevel?.value = configuration.logLevel
        bodies.change(capacity: configuration.bodiesBytes)
        registry.change(to: configuration.serving)
    }

    /// True once the server is about to end: it is not ready, and each response closes its connection.
    var isDraining: Bool { draining.load(ordering: .acquiring) }

    func drain() { draining.store(true, ordering: .releasing) }

    /// Does work that takes a time proportional to `bytes`: at once when they are few, else on a thread of its own.
    func offload<Value: Sendable>(
        bytes: Int, _ work: @escaping @Sendable () throws(ServingError) -> Value
    ) async throws(ServingError) -> Value {
        // As a result: the optimiser of Swift 6.3 crashes where errors of this type pass through here.
        @Sendable func result() -> Result<Value, ServingError> {
            Result { () throws(ServingError) in try work() }
        }
        return try await (bytes <= 32 << 10 ? result() : wire.run { result() }).get()
    }
}

/// The bytes that the bodies of all requests being read may take together.
final class BodyByteLimit: Sendable {
    private let state: Mutex<(capacity: Int, used: Int)>

    init(capacity: Int) { state = Mutex((capacity, 0)) }

    func change(capacity: Int) { state.withLock { $0.capacity = capacity } }

    /// Takes more bytes for a body. Throws an error with 503 when they are not free.
    func take(_ count: Int) throws(ServingError) {
        let fits = state.withLock { state in
            guard count <= state.capacity - state.used else { return false }
            state.used += count
            return true
        }
        guard fits else {
            throw .overloaded("Too many bytes are on their way; send the request again.", retryAfter: .seconds(1))
        }
    }

    func giveBack(_ count: Int) { state.withLock { $0.used -= count } }
}
