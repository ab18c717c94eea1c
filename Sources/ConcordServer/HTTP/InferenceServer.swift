import ConcordCore
import ConcordRuntime
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
import UnixSignals

/// The service: models behind HTTP, from the start to the end of the process.
public final class InferenceServer: Sendable {
    private let configuration: ServerConfiguration
    private let logger: Logger
    private let group = Mutex<ServiceGroup?>(nil)

    /// Throws `.invalidConfiguration` for what cannot be served, or should not.
    ///
    /// - Parameter logger: nil for lines on standard error, as the configuration wants them.
    public init(_ configuration: ServerConfiguration, logger: Logger? = nil) throws(ConcordError) {
        try configuration.validate()
        self.configuration = configuration
        self.logger =
            logger
            ?? Logger(label: "concord-server") { label in
                JSONLogHandler(
                    label: label, format: configuration.logsJSON ? .json : .text, logLevel: configuration.logLevel)
            }
    }

    /// Answers requests until the process is told to end, or ``stop()`` is called.
    ///
    /// It listens at once, and loads the models meanwhile: until then it is alive, not ready, and refuses what needs a
    /// model with 503 and `Retry-After`. Told to end while it loads, it ends when the model that it is at is loaded.
    ///
    /// - Parameters:
    ///   - signals: what tells the process to end.
    ///   - onListening: called with the port when connections are taken.
    ///   - onReady: called when all models are loaded, and requests for them are answered.
    /// - Throws: `ConcordError` for models, keys or an address that cannot be used.
    public func run(
        signals: [UnixSignal] = [.sigterm, .sigint],
        onListening: @escaping @Sendable (_ port: Int) async -> Void = { _ in },
        onReady: @escaping @Sendable (ReadyReport) async -> Void = { _ in }
    ) async throws {
        let keys = try configuration.keys.map { path throws(ConcordError) in try APIKeys(path: path) }
        let metrics = ServerMetrics()
        var serving = configuration.serving
        serving.onFault = { [logger] model, error in
            logger.error("model fault", metadata: ["model": "\(model)", "error": "\(error)"])
        }
        serving.onWarning = { [logger] model, warning in
            logger.warning("model warning", metadata: ["model": "\(model)", "warning": "\(warning)"])
        }
        let registry = ModelRegistry(options: serving, metrics: metrics)
        var models: [LoadingService.Model] = []
        for model in configuration.models {
            models.append((try await registry.announce(name: model.name, folder: model.folder), model.folder))
        }
        try configuration.checkAliases(models: models.map(\.name))
        let fetcher = try configuration.imageFetching.map { options throws(ConcordError) in
            try PictureFetcher(options: options)
        }
        let state = ServerState(
            configuration, registry: registry, keys: keys, metrics: metrics, fetcher: fetcher, logger: logger)
        let start = ServerStart(awaiting: configuration.metricsPort == nil ? ["http"] : ["http", "metrics"]) {
            [configuration] ports in
            await onReady(
                ReadyReport(
                    host: configuration.host, port: ports["http"] ?? configuration.port, metricsPort: ports["metrics"],
                    models: registry.statuses.map(ReadyReport.Model.init)))
        }
        let loading = LoadingService(models: models, state: state) { await start.modelsAreLoaded() }
        try await serve(state, loading, signals: signals) { name, port in
            if name == "http" { await onListening(port) }
            await start.listens(name, port: port)
        }
    }

    /// Ends ``run(signals:onListening:onReady:)`` as a signal would.
    public func stop() async { await group.withLock { $0 }?.triggerGracefulShutdown() }

    private func serve(
        _ state: ServerState, _ loading: LoadingService, signals: [UnixSignal],
        onListening: @escaping @Sendable (_ name: String, _ port: Int) async -> Void
    ) async throws {
        var services: [ServiceGroupConfiguration.ServiceConfiguration] = [
            .init(service: RegistryService(registry: state.registry)),
            .init(
                service: application(
                    state, .server(state), host: configuration.host, port: configuration.port
                ) { await onListening("http", $0) }),
        ]
        if let port = configuration.metricsPort {
            // A state of its own, without keys: the port is for this machine, or for whoever its host is chosen for,
            // by whatever name.
            var named = configuration
            named.hostNames = ["*"]
            let open = ServerState(
                named, registry: state.registry, keys: nil, metrics: state.metrics, logger: logger)
            services.append(
                .init(
                    service: application(
                        open, .metrics, host: configuration.metricsHost, port: port
                    ) { await onListening("metrics", $0) }))
        }
        if let keys = state.keys { services.append(.init(service: KeysService(keys: keys, logger: logger))) }
        // After what listens, so that probes are answered while the last model is loaded.
        services.append(.init(service: loading))
        // The last to start is the first to end.
        services.append(.init(service: DrainService(state: state)))
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        var settings = ServiceGroupConfiguration(
            services: services, gracefulShutdownSignals: signals, logger: quiet)
        settings.maximumGracefulShutdownDuration = configuration.drainDelay + configuration.drainTimeout
        let group = ServiceGroup(configuration: settings)
        self.group.withLock { $0 = group }
        do { try await group.run() } catch is CancellationError where state.isDraining {
            logger.warning("the time to end was over before all requests were answered")
        } catch let error as IOError {
            throw ConcordError(
                .unavailable,
                "\(configuration.host):\(configuration.port) cannot be listened on: \(error.description)")
        }
    }

    private func application(
        _ state: ServerState, _ table: RouteTable, host: String, port: Int,
        onListening: @escaping @Sendable (_ port: Int) async -> Void
    ) -> some Service {
        let guardLimits = RequestGuard.Limits(
            bodyTimeout: .init(configuration.bodyTimeout), bodyBytes: configuration.bodyBytes)
        let connections = HTTP1Channel.Configuration(
            additionalChannelHandlers: [RequestGuard(guardLimits)], idleTimeout: .init(configuration.idleTimeout),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 32 << 10, maxHeaderFieldCount: 128))
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        return Application(
            responder: ConcordResponder(state: state, table: table),
            server: HTTPServerBuilder { responder in
                ConnectionChannel(http: HTTP1Channel(responder: responder, configuration: connections))
            },
            configuration: ApplicationConfiguration(
                address: .hostname(host, port: port), backlog: 1024,
                availableConnectionsDelegate: MaximumAvailableConnections(configuration.connections, logger: quiet)),
            onServerRunning: { channel in await onListening(channel.localAddress?.port ?? port) },
            logger: quiet)
    }
}

/// Waits until all ports are known and all models are loaded.
private actor ServerStart {
    private var ports: [String: Int] = [:]
    private var awaited: Set<String>
    private var isLoaded = false
    private let whenComplete: @Sendable ([String: Int]) async -> Void

    /// - Parameter awaited: the names of the ports.
    init(awaiting awaited: Set<String>, whenComplete: @escaping @Sendable ([String: Int]) async -> Void) {
        self.awaited = awaited
        self.whenComplete = whenComplete
    }

    func listens(_ name: String, port: Int) async {
        ports[name] = port
        awaited.remove(name)
        await completeIfDone()
    }

    func modelsAreLoaded() async {
        isLoaded = true
        await completeIfDone()
    }

    private func completeIfDone() async {
        if isLoaded, awaited.isEmpty { await whenComplete(ports) }
    }
}

extension ReadyReport.Model {
    fileprivate init(_ status: ModelStatus) {
        let manifest = status.manifest
        name = status.name
        abilities =
            (manifest.graphs[.image] != nil ? ["pictures"] : []) + (manifest.graphs[.text] != nil ? ["texts"] : [])
            + (manifest.graphs[.captionPrefill] != nil ? ["captions"] : [])
            + ["width \(manifest.embeddingWidth)", manifest.precision.rawValue]
    }
}
