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

    /// Loads the models and answers requests until the process is told to end, or ``stop()`` is called.
    ///
    /// - Parameters:
    ///   - signals: what tells the process to end.
    ///   - onReady: called when requests are answered.
    /// - Throws: `ConcordError` for models, keys or an address that cannot be used.
    public func run(
        signals: [UnixSignal] = [.sigterm, .sigint], onReady: @escaping @Sendable (ReadyReport) async -> Void = { _ in }
    ) async throws {
        let keys = try configuration.keys.map { path throws(ConcordError) in try APIKeys(path: path) }
        let metrics = ServerMetrics()
        var serving = configuration.serving
        serving.onFault = { [logger] model, error in
            logger.error("model fault", metadata: ["model": "\(model)", "error": "\(error)"])
        }
        let registry = ModelRegistry(options: serving, metrics: metrics)
        for model in configuration.models {
            try await registry.load(name: model.name, folder: model.folder)
        }
        let fetcher = try configuration.imageFetching.map { options throws(ConcordError) in
            try PictureFetcher(options: options)
        }
        let state = ServerState(
            configuration, registry: registry, keys: keys, metrics: metrics, fetcher: fetcher, logger: logger)
        try await serve(state, signals: signals, onReady: onReady)
    }

    /// Ends ``run(signals:onReady:)`` as a signal would.
    public func stop() async { await group.withLock { $0 }?.triggerGracefulShutdown() }

    private func serve(
        _ state: ServerState, signals: [UnixSignal], onReady: @escaping @Sendable (ReadyReport) async -> Void
    ) async throws {
        let ports = Ports(count: configuration.metricsPort == nil ? 1 : 2) { [configuration] ports in
            await onReady(
                ReadyReport(
                    host: configuration.host, port: ports["http"] ?? configuration.port, metricsPort: ports["metrics"],
                    models: state.registry.statuses.map(ReadyReport.Model.init)))
        }
        var services: [ServiceGroupConfiguration.ServiceConfiguration] = [
            .init(service: RegistryService(registry: state.registry)),
            .init(
                service: application(
                    state, .server(state), host: configuration.host, port: configuration.port, name: "http", ports)),
        ]
        if let port = configuration.metricsPort {
            // A state of its own, without keys: the port is for this machine, or for whoever its host is chosen for.
            let open = ServerState(
                configuration, registry: state.registry, keys: nil, metrics: state.metrics, logger: logger)
            services.append(
                .init(
                    service: application(
                        open, .metrics, host: configuration.metricsHost, port: port, name: "metrics", ports)))
        }
        if let keys = state.keys { services.append(.init(service: KeysService(keys: keys, logger: logger))) }
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
        _ state: ServerState, _ table: RouteTable, host: String, port: Int, name: String, _ ports: Ports
    ) -> some Service {
        let guardLimits = RequestGuard.Limits(
            bodyTimeout: .init(configuration.bodyTimeout), bodyBytes: configuration.bodyBytes)
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        return Application(
            responder: ConcordResponder(state: state, table: table),
            server: .http1(
                configuration: HTTP1Channel.Configuration(
                    additionalChannelHandlers: [RequestGuard(guardLimits)],
                    idleTimeout: .init(configuration.idleTimeout),
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 32 << 10, maxHeaderFieldCount: 128))),
            configuration: ApplicationConfiguration(
                address: .hostname(host, port: port), backlog: 1024,
                availableConnectionsDelegate: MaximumAvailableConnections(configuration.connections, logger: quiet)),
            onServerRunning: { channel in await ports.add(channel.localAddress?.port ?? port, for: name) },
            logger: quiet)
    }
}

/// Waits until all ports are known.
private actor Ports {
    private var ports: [String: Int] = [:]
    private let count: Int
    private let whenComplete: @Sendable ([String: Int]) async -> Void

    init(count: Int, whenComplete: @escaping @Sendable ([String: Int]) async -> Void) {
        self.count = count
        self.whenComplete = whenComplete
    }

    func add(_ port: Int, for name: String) async {
        ports[name] = port
        if ports.count == count { await whenComplete(ports) }
    }
}

extension ReadyReport.Model {
    fileprivate init(_ status: ModelStatus) {
        name = status.name
        guard let manifest = status.manifest else {
            abilities = [status.state.rawValue]
            return
        }
        abilities =
            (manifest.graphs[.image] != nil ? ["pictures"] : []) + (manifest.graphs[.text] != nil ? ["texts"] : [])
            + (manifest.graphs[.captionPrefill] != nil ? ["captions"] : [])
            + ["width \(manifest.embeddingWidth)", manifest.precision.rawValue]
    }
}
