import ConcordCore
import Logging
import ServiceLifecycle

/// Ends first: has the server say that it is not ready, and close connections after their answers, before it stops to
/// take new ones.
struct DrainService: Service {
    let state: ServerState

    func run() async throws {
        try? await gracefulShutdown()
        state.drain()
        state.logger.notice("ending when all accepted requests are answered")
        try? await Task.sleep(for: state.configuration.drainDelay)
    }
}

/// Reads the file of keys again when it changes.
struct KeysService: Service {
    let keys: APIKeys
    let logger: Logger

    func run() async throws {
        _ = await cancelWhenGracefulShutdown {
            await keys.watch { error in
                logger.error("keys not reloaded; the earlier ones stay", metadata: ["error": "\(error)"])
            }
        }
    }
}

/// Loads the models while the server listens already, one after the other, and ends it where one cannot be loaded.
struct LoadingService: Service {
    typealias Model = (name: String, folder: String)

    /// Those that the registry has been told of.
    let models: [Model]
    let state: ServerState
    let whenLoaded: @Sendable () async -> Void

    func run() async throws {
        try await load()
        // A service that comes to its end by itself would end all others.
        try? await gracefulShutdown()
    }

    private func load() async throws {
        for model in models {
            // The one before was loaded to its end: what ONNX Runtime has begun cannot be given up.
            guard !state.isDraining, !Task.isCancelled else { return }
            try await state.registry.load(announced: model.name, folder: model.folder)
        }
        await whenLoaded()
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
