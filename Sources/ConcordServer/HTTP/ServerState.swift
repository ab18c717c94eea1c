import ConcordCore
import ConcordRuntime
import Logging
import Synchronization

/// What all requests of a server share.
final class ServerState: Sendable {
    /// What a server's settings may change while it runs.
    struct Settings: Sendable {
        var configuration: ServerConfiguration
        /// Nil where no key is asked for.
        var keys: APIKeys?
        /// Nil where pictures come in requests only.
        var fetcher: PictureFetcher?

        /// Throws as `APIKeys.init(path:)` and `PictureFetcher.init(options:)`.
        ///
        /// - Parameter earlier: what was in use so far; its fetcher stays where the same is asked of it.
        init(_ configuration: ServerConfiguration, after earlier: Settings? = nil) throws(ConcordError) {
            self.configuration = configuration
            keys = try configuration.keys.map { path throws(ConcordError) in try APIKeys(path: path) }
            if let earlier, earlier.configuration.imageFetching == configuration.imageFetching {
                fetcher = earlier.fetcher
                return
            }
            fetcher = try configuration.imageFetching.map { options throws(ConcordError) in
                try PictureFetcher(options: options)
            }
        }
    }

    private let settings: Mutex<Settings>
    let registry: ModelRegistry
    let limiter = RateLimiter()
    let metrics: ServerMetrics
    let logger: Logger
    private let logLevel: LogLevel?
    let bodies: BodyBudget
    /// For JSON and base64 that would hold up an event loop.
    let wire = WorkerThreads(count: Processors.available, name: "wire")
    private let draining = Atomic(false)

    /// - Parameter logLevel: that of the logger, where it follows the settings.
    init(
        _ settings: Settings, registry: ModelRegistry, metrics: ServerMetrics, logger: Logger, logLevel: LogLevel? = nil
    ) {
        self.logLevel = logLevel
        self.settings = Mutex(settings)
        self.registry = registry
        self.metrics = metrics
        self.logger = logger
        bodies = BodyBudget(capacity: settings.configuration.bodiesBytes)
    }

    var configuration: ServerConfiguration { settings.withLock { $0.configuration } }
    /// Nil where no key is asked for.
    var keys: APIKeys? { settings.withLock { $0.keys } }
    /// Nil where pictures come in requests only.
    var fetcher: PictureFetcher? { settings.withLock { $0.fetcher } }

    /// Takes over settings, and reads the file of keys, for requests that come from now on.
    ///
    /// Throws, and changes nothing, for keys or hosts that cannot be used.
    func change(to configuration: ServerConfiguration) throws(ConcordError) {
        let changed = try Settings(configuration, after: settings.withLock { $0 })
        settings.withLock { $0 = changed }
        logLevel?.value = configuration.logLevel
        bodies.change(capacity: configuration.bodiesBytes)
        registry.change(to: configuration.serving)
    }

    /// Whether the server is about to end: it is not ready, and each answer closes its connection.
    var isDraining: Bool { draining.load(ordering: .acquiring) }

    func drain() { draining.store(true, ordering: .releasing) }

    /// Does work that takes a time proportional to `bytes`: at once when they are few, else on a thread of its own.
    func offload<Value: Sendable>(
        bytes: Int, _ work: @escaping @Sendable () throws(RequestFailure) -> Value
    ) async throws(RequestFailure) -> Value {
        // As a result: the optimiser of Swift 6.3 crashes where errors of this type pass through here.
        @Sendable func result() -> Result<Value, RequestFailure> {
            Result { () throws(RequestFailure) in try work() }
        }
        return try await (bytes <= 32 << 10 ? result() : wire.run { result() }).get()
    }
}
