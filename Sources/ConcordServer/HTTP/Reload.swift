import ConcordCore
import ConcordRuntime
import Logging

/// Reloads the settings, keys and artifact folders of a running server. Whatever cannot be used changes nothing.
struct Reload {
    let state: ServerState
    /// The models that the settings named last.
    private(set) var models: [ModelRegistry.Named]

    init(state: ServerState, models: [ModelRegistry.Named]) {
        self.state = state
        self.models = models
    }

    /// - Parameter read: reads the settings.
    mutating func run(reading read: @escaping @Sendable () throws -> ServerConfiguration) async {
        let logger = state.logger
        logger.notice("reloading settings, keys and models")
        let arguments = await follow(read)
        let (named, changes) = await state.registry.update(models, to: arguments)
        models = named
        do throws(ConcordError) { try state.settings.configuration.checkAliases(models: named.map(\.name)) } catch {
            logger.warning("an alias that leads to no model", metadata: ["error": "\(error)"])
        }
        var metadata: Logger.Metadata = [:]
        for change in [ModelRegistry.Change.added, .replaced, .removed, .failed, .unchanged] {
            let names = changes.filter { $0.change == change }.map(\.name)
            if !names.isEmpty { metadata["models_\(change.rawValue)"] = "\(names.joined(separator: ","))" }
        }
        logger.notice("reloaded", metadata: metadata)
    }

    /// Takes over what the settings say. Returns the models that are to be served.
    private func follow(_ read: @escaping @Sendable () throws -> ServerConfiguration) async -> [ModelArgument] {
        let current = state.settings.configuration, logger = state.logger
        let thread = WorkerThreads(count: 1, name: "concord-settings")
        do {
            let wanted = try await thread.run { try read() }
            try wanted.validate()
            let (configuration, changed, waiting) = current.taking(over: wanted)
            try await thread.run { [state] () throws(ConcordError) in try state.change(to: configuration) }
            if !changed.isEmpty {
                logger.notice("settings changed", metadata: ["keys": "\(changed.joined(separator: ","))"])
            }
            if !waiting.isEmpty {
                logger.warning(
                    "settings that changed and have no effect before a restart",
                    metadata: ["keys": "\(waiting.joined(separator: ","))"])
            }
            return configuration.models
        } catch {
            logger.error("settings not reloaded; the earlier ones stay", metadata: ["error": "\(error)"])
            return current.models
        }
    }
}
