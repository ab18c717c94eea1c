import ConcordCore
import ConcordRuntime
import Logging
import Synchronization

/// What all requests of a server share.
final class ServerState: Sendable {
    let configuration: ServerConfiguration
    let registry: ModelRegistry
    /// Nil where no key is asked for.
    let keys: APIKeys?
    let limiter = RateLimiter()
    /// Nil where pictures come in requests only.
    let fetcher: PictureFetcher?
    let metrics: ServerMetrics
    let logger: Logger
    let bodies: BodyBudget
    /// For JSON and base64 that would hold up an event loop.
    let wire = WorkerThreads(count: Processors.available, name: "wire")
    private let draining = Atomic(false)

    init(
        _ configuration: ServerConfiguration, registry: ModelRegistry, keys: APIKeys?, metrics: ServerMetrics,
        fetcher: PictureFetcher? = nil, logger: Logger
    ) {
        self.configuration = configuration
        self.registry = registry
        self.keys = keys
        self.fetcher = fetcher
        self.metrics = metrics
        self.logger = logger
        bodies = BodyBudget(capacity: configuration.bodiesBytes)
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
