import ConcordCore
import ConcordRuntime
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
import UnixSignals

/// Ends first: has the server say that it is not ready, and close connections after their answers, before it stops to
/// take new ones.
struct DrainService: Service {
    let state: ServerState
    let failure: FirstFailure

    func run() async throws {
        try? await gracefulShutdown()
        state.drain()
        // What could not start has accepted nothing, and says by itself why it ends.
        guard failure.error == nil else { return }
        state.logger.notice("stopping once all accepted requests are answered")
        try? await Task.sleep(for: state.settings.configuration.drainDelay)
    }
}

/// Reads the file of keys again when it changes, on a thread of its own.
struct KeysService: Service {
    let state: ServerState

    func run() async throws {
        let thread = WorkerThreads(count: 1, name: "concord-keys")
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: .seconds(2))) != nil {
                guard let keys = state.settings.keys else { continue }
                if let error = await thread.run({ () throws(Never) in keys.reloadIfChanged() }) {
                    state.logger.error(
                        "keys not reloaded; the earlier ones stay", metadata: ["error": "\(error)"])
                }
            }
        }
    }
}

/// Loads the models while the server listens already, one after the other, and ends it where one cannot be loaded. Then
/// looks at the settings and the models again whenever it is told to.
struct LoadingService: Service {
    /// The models that the registry was told of.
    let models: [ModelRegistry.Named]
    let state: ServerState
    let reloads: AsyncStream<Void>
    /// Reads the current settings.
    let readConfiguration: @Sendable () throws -> ServerConfiguration
    let whenLoaded: @Sendable () async -> Void

    func run() async throws {
        // Until the server ends: a service that comes to its end by itself would end all others.
        guard try await load() else {
            try? await gracefulShutdown()
            return
        }
        var reload = Reload(state: state, models: models)
        for await _ in reloads.cancelOnGracefulShutdown() { await reload.run(reading: readConfiguration) }
    }

    /// False where the server was told to end meanwhile.
    private func load() async throws -> Bool {
        for model in models {
            // The one before was loaded to its end: what ONNX Runtime has begun cannot be given up.
            guard !state.isDraining, !Task.isCancelled else { return false }
            try await state.registry.load(
                announced: model.name, folder: model.argument.folder, tellsFault: false)
        }
        if let runtime = try? OnnxRuntime.shared(), !runtime.readsDataFiles {
            state.logger.warning(
                "files of models are mapped on this system: replace them by a rename, and never change them in place")
        }
        await whenLoaded()
        return true
    }
}

/// The first thing that went wrong in a service, which has all others end.
final class FirstFailure: Sendable {
    private let first = Mutex<(any Error)?>(nil)

    var error: (any Error)? { first.withLock { $0 } }

    /// Notes the first failure; a cancellation is none.
    func note(_ error: any Error) {
        if !(error is CancellationError) { first.withLock { $0 = $0 ?? error } }
    }
}

/// A service whose failure is noted.
struct WatchedService: Service {
    let service: any Service
    let failure: FirstFailure

    func run() async throws {
        do { try await service.run() } catch {
            failure.note(error)
            throw error
        }
    }
}

/// Ends last: closes the models when no request is left.
struct RegistryService: Service {
    let registry: ModelRegistry

    func run() async throws {
        try? await gracefulShutdown()
        await registry.close()
    }
}

/// The address that a server listens on.
struct ListeningAddress: Sendable {
    let host: String
    let port: Int

    /// `HOST:PORT` as URLs have it: an address of IPv6 in brackets.
    var text: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// The error for a failure to listen here; `nil` for another failure.
    ///
    /// - Parameter setting: what `server.yaml` calls the port.
    func failure(_ error: any Error, setting: String) -> ConcordError? {
        let advice: String
        switch error {
        case let error as IOError:
            switch error.errnoCode {
            case EADDRINUSE:
                advice =
                    "another program listens there; end that one, or set \(setting) to another number (0 takes a free one)"
            case EACCES:
                advice =
                    "ports below 1024 are the system's; set \(setting) to 1024 or more, or allow this program lower ones"
            case EADDRNOTAVAIL: advice = "it is no address of this machine; 0.0.0.0 is all of them"
            default: advice = String(cString: strerror(error.errnoCode)) + "; choose another address"
            }
        case is SocketAddressError, is SocketAddressError.UnknownHost:
            advice = "there is no host of this name; check it, or give an address"
        default: return nil
        }
        return ConcordError(.unavailable, "cannot listen on \(text): \(advice)")
    }
}

/// A server's port, which says in plain words why it cannot be listened on.
struct ListeningService: Service {
    let server: any Service
    let address: ListeningAddress
    /// The key of the port in `server.yaml`.
    let setting: String

    func run() async throws {
        do { try await server.run() } catch { throw address.failure(error, setting: setting) ?? error }
    }
}

/// Reactions to the system's signals.
///
/// | signal | does |
/// |---|---|
/// | SIGTERM, SIGINT, SIGQUIT | the server ends when what it accepted is answered |
/// | SIGINT or SIGQUIT after that | it ends at once |
/// | SIGHUP | reads settings, keys and models again; ends the server as SIGTERM does where its terminal was closed |
/// | SIGUSR1, SIGUSR2 | nothing but a line in the log |
struct SignalHandler: Sendable {
    let logger: Logger
    let reload: @Sendable () -> Void
    let end: @Sendable () async -> Void
    let endAtOnce: @Sendable () -> Void

    /// True if this process has a controlling terminal.
    private static var hasTerminal: Bool {
        let descriptor = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)
        if descriptor >= 0 { close(descriptor) }
        return descriptor >= 0
    }

    /// Handles signals until its task is cancelled.
    func run(_ signals: UnixSignalsSequence) async {
        let hadTerminal = Self.hasTerminal
        var isEnding = false
        for await signal in signals {
            switch signal {
            case .sighup where !hadTerminal || Self.hasTerminal: reload()
            case .sigterm, .sigint, .sigquit, .sighup:
                if !isEnding {
                    isEnding = true
                    await end()
                } else if signal == .sigint || signal == .sigquit {
                    logger.warning("stopping at once; requests in flight are lost")
                    endAtOnce()
                }
            default: logger.notice("ignored a signal", metadata: ["signal": "\(signal)"])
            }
        }
    }
}
