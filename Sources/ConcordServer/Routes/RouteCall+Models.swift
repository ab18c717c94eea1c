import ConcordCore
import HTTPTypes
import Synchronization

/// What administrators do to models.
extension RouteCall {
    /// The name of a model that can be loaded or unloaded now. Throws a failure with 404, or with 503 while it is being
    /// loaded.
    func changeableModel(named name: String) throws(RequestFailure) -> String {
        let name = settings.configuration.modelName(name)
        guard let status = state.registry.statuses.first(where: { $0.name == name }) else {
            throw RequestFailure(
                status: .notFound, message: "There is no such model.", parameter: "model", code: "model_not_found")
        }
        guard status.state != .loading else { throw RequestFailure(ServingError.loading(after: nil)) }
        notes.withLock { $0.model = name }
        return name
    }

    /// Loads a model again, swaps it in, and returns its name. Throws as ``changeableModel(named:)``, and a failure with
    /// 409 when the new one is not good.
    @discardableResult
    func reload(model name: String) async throws(RequestFailure) -> String {
        let name = try changeableModel(named: name)
        do throws(ConcordError) { try await state.registry.reload(name: name) } catch {
            // The message names files, which is for the log alone; the registry has told it there.
            throw RequestFailure(
                status: .conflict,
                message: "The model was not replaced: the new one does not load or fails its check. The log has more "
                    + "under the request's id.", type: "server_error", code: "reload_failed")
        }
        return name
    }
}
