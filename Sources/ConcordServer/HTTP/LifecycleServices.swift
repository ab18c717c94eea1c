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

/// Ends last: closes the models when no request is left.
struct RegistryService: Service {
    let registry: ModelRegistry

    func run() async throws {
        try? await gracefulShutdown()
        await registry.close()
    }
}
