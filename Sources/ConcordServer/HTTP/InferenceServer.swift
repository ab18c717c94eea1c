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
    /// Reads the current settings.
    private let readConfiguration: @Sendable () throws -> ServerConfiguration
    private let logger: Logger
    /// That of the logger; `nil` for a logger of somebody else's.
    private let logLevel: LogLevel?
    private let group = Mutex<ServiceGroup?>(nil)
    private let reloads = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    /// Signals that a server knows what to do with: SIGTERM, SIGINT and SIGQUIT end it when what it accepted is answered
    /// (SIGINT and SIGQUIT again end it at once), SIGHUP is ``reload()``, and SIGUSR1 and SIGUSR2 do nothing.
    public static let knownSignals: [UnixSignal] = [.sigterm, .sigint, .sigquit, .sighup, .sigusr1, .sigusr2]

    /// Throws `.invalidConfiguration` for what cannot be served, or should not.
    ///
    /// - Parameters:
    ///   - logger: `nil` for lines on standard error, as the configuration wants them.
    ///   - readConfiguration: what ``reload()`` follows; `nil` for the configuration as it is.
    public init(
        _ configuration: ServerConfiguration, logger: Logger? = nil,
        readConfiguration: (@Sendable () throws -> ServerConfiguration)? = nil
    ) throws(ConcordError) {
        try configuration.validate()
        self.configuration = configuration
        self.readConfiguration = readConfiguration ?? { configuration }
        let level = LogLevel(configuration.logLevel)
        logLevel = logger == nil ? level : nil
        self.logger =
            logger
            ?? Logger(label: "concord-server") { label in
                JSONLogHandler(label: label, format: configuration.logsJSON ? .json : .text, level: level)
            }
    }

    /// Answers requests until the process is told to end, or ``stop()`` is called.
    ///
    /// It listens at once, and loads the models meanwhile: until then it is alive, not ready, and refuses what needs a
    /// model with 503 and `Retry-After`. If asked to stop while loading, it stops once the current model has loaded.
    ///
    /// - Parameters:
    ///   - signals: those of ``knownSignals`` that are handled; others do what the system does.
    ///   - onListening: called with the port when connections are taken.
    ///   - onReady: called when all models are loaded, and requests for them are answered.
    /// - Throws: `ConcordError` for models, keys or an address that cannot be used.
    public func run(
        signals: [UnixSignal] = knownSignals,
        onListening: @escaping @Sendable (_ port: Int) async -> Void = { _ in },
        onReady: @escaping @Sendable (ReadyReport) async -> Void = { _ in }
    ) async throws {
        // First of all: a signal that comes early waits until there is somebody to tell.
        let caught = await UnixSignalsSequence(trapping: signals)
        let settings = try ServerState.Settings(configuration)
        let metrics = ServerMetrics()
        var serving = configuration.serving
        serving.onFault = { [logger] model, error in
            logger.error("model fault", metadata: ["model": "\(model)", "error": "\(error)"])
        }
        serving.onWarning = { [logger] model, warning in
            logger.warning("model warning", metadata: ["model": "\(model)", "warning": "\(warning)"])
        }
        let registry = ModelRegistry(options: serving, metrics: metrics)
        var models: [ModelRegistry.Named] = []
        for model in configuration.models {
            models.append((try await registry.announce(name: model.name, folder: model.folder), model))
        }
        try configuration.checkAliases(models: models.map(\.name))
        let state = ServerState(settings, registry: registry, metrics: metrics, logger: logger, logLevel: logLevel)
        let start = ServerStart(awaiting: configuration.metricsPort == nil ? ["http"] : ["http", "metrics"]) {
            [configuration] ports in
            await onReady(
                ReadyReport(
                    host: configuration.host, port: ports["http"] ?? configuration.port, metricsPort: ports["metrics"],
                    models: registry.statuses.map(ReadyReport.Model.init)))
        }
        let loading = LoadingService(
            models: models, state: state, reloads: reloads.stream, readConfiguration: readConfiguration
        ) { await start.modelsAreLoaded() }
        try await serve(state, loading, signals: caught) { name, port in
            if name == "http" { await onListening(port) }
            await start.listens(name, port: port)
        }
    }

    /// Ends ``run(signals:onListening:onReady:)`` as a signal would.
    public func stop() async { await group.withLock { $0 }?.triggerGracefulShutdown() }

    /// Reloads the settings, the file of keys and the artifact folders, as SIGHUP does, and returns at once.
    ///
    /// Models whose folder or files are other ones are loaded beside those in use, which stay where that fails. Settings
    /// that have no effect before a restart are named in the log. While models are being loaded, this waits for them.
    public func reload() { reloads.continuation.yield() }

    private func serve(
        _ state: ServerState, _ loading: LoadingService, signals: UnixSignalsSequence,
        onListening: @escaping @Sendable (_ name: String, _ port: Int) async -> Void
    ) async throws {
        let failure = FirstFailure()
        func service(_ service: any Service) -> ServiceGroupConfiguration.ServiceConfiguration {
            .init(
                service: WatchedService(service: service, failure: failure),
                failureTerminationBehavior: .gracefullyShutdownGroup)
        }
        let address = ListeningAddress(host: configuration.host, port: configuration.port)
        let http = application(state, .server(state), address) { await onListening("http", $0) }
        var services = [
            service(RegistryService(registry: state.registry)),
            service(ListeningService(server: http, address: address, setting: "port")),
        ]
        if let port = configuration.metricsPort {
            // A state of its own, without keys: the port is for this machine, or for whoever its host is chosen for,
            // by whatever name.
            var open = configuration
            (open.hostNames, open.keys, open.imageFetching) = (["*"], nil, nil)
            let openState = ServerState(
                try ServerState.Settings(open), registry: state.registry, metrics: state.metrics, logger: logger)
            let address = ListeningAddress(host: configuration.metricsHost, port: port)
            let metrics = application(openState, .metrics, address) { await onListening("metrics", $0) }
            services.append(service(ListeningService(server: metrics, address: address, setting: "metrics_port")))
        }
        services.append(service(KeysService(state: state)))
        // After what listens, so that probes are answered while the last model is loaded.
        services.append(service(loading))
        // The last to start is the first to end.
        services.append(service(DrainService(state: state, failure: failure)))
        var settings = ServiceGroupConfiguration(services: services, logger: quiet)
        settings.maximumGracefulShutdownDuration = configuration.drainDelay + configuration.drainTimeout
        let group = ServiceGroup(configuration: settings)
        self.group.withLock { $0 = group }
        let running = Task { try await group.run() }
        let handler = SignalHandler(
            logger: logger, reload: reload, end: { await group.triggerGracefulShutdown() },
            endAtOnce: { running.cancel() })
        let handling = Task { await handler.run(signals) }
        defer { handling.cancel() }
        do {
            try await withTaskCancellationHandler {
                try await running.value
            } onCancel: {
                running.cancel()
            }
        } catch is CancellationError where state.isDraining && failure.error == nil {
            logger.warning("stopped with requests still in flight")
        } catch {
            throw failure.error ?? error
        }
    }

    /// For what the libraries below have to say.
    private var quiet: Logger {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        return quiet
    }

    private func application(
        _ state: ServerState, _ table: RouteTable, _ address: ListeningAddress,
        onListening: @escaping @Sendable (_ port: Int) async -> Void
    ) -> some Service {
        let guardLimits = RequestGuard.Limits(
            bodyTimeout: .init(configuration.bodyTimeout), bodyBytes: configuration.bodyBytes)
        let connections = HTTP1Channel.Configuration(
            additionalChannelHandlers: [RequestGuard(guardLimits)], idleTimeout: .init(configuration.idleTimeout),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 32 << 10, maxHeaderFieldCount: 128))
        return Application(
            responder: ServerResponder(state: state, table: table),
            server: HTTPServerBuilder { responder in
                ConnectionChannel(http: HTTP1Channel(responder: responder, configuration: connections))
            },
            configuration: ApplicationConfiguration(
                address: .hostname(address.host, port: address.port), backlog: 1024,
                availableConnectionsDelegate: MaximumAvailableConnections(configuration.connections, logger: quiet)),
            onServerRunning: { channel in await onListening(channel.localAddress?.port ?? address.port) },
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

/// The address and the models of a server that is ready.
public struct ReadyReport: Sendable, Hashable {
    public struct Model: Sendable, Hashable {
        public var name: String
        /// Its abilities, width and precision.
        public var abilities: [String]
    }

    public var host: String
    public var port: Int
    /// Nil without a port for figures.
    public var metricsPort: Int?
    public var models: [Model]

    /// Such as `http://127.0.0.1:8080`.
    public var url: String { "http://" + ListeningAddress(host: host, port: port).text }
}
