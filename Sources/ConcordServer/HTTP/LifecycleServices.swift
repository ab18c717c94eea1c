import ConcordCore
import ConcordRuntime
import Logging
import ServiceLifecycle
import Synchronization

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
        state.logger.notice("ending when all accepted requests are answered")
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
    /// Those that the registry has been told of.
    let models: [ModelRegistry.Named]
    let state: ServerState
    let reloads: AsyncStream<Void>
    /// What the server's settings say now.
    let readConfiguration: @Sendable () throws -> ServerConfiguration
    let whenLoaded: @Sendable () async -> Void

    func run() async throws {
        // Until the server ends: a service that comes to its end by itself would end all others.
        guard try await load() else {
            try? await gracefulShutdown()
            return
        }
        var reload = Reload(state: state, models: models)
        for await _ in reloads.cancelOnGracefulShutdown() { await reload(readConfiguration) }
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

    /// What is cancelled because of a failure is none.
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
