import ConcordCore
import HTTPTypes
import HummingbirdCore

/// The model repository extension of the Open Inference Protocol, as KServe and Triton have it. The repository is the
/// models that the server was started with.
enum RepositoryRoutes {
    static let all: [Route] = [index, load, unload]

    private static let index = Route(
        method: .post, path: "/v2/repository/index", summary: "All models with their states, or the ready ones only.",
        access: .scope(.admin), errors: .inference, body: .small,
        requests: [("application/json", Schemas.repositoryIndexRequest)],
        responses: [("application/json", Schemas.repositoryIndex)],
        handler: { call in
            let isReady = try await fields(call, known: ["ready"]) { fields throws(RequestFailure) in
                try fields.flag("ready") ?? false
            }
            let models = call.state.registry.statuses.filter { !isReady || $0.state == .ready }
            return .json(.array(models.map(entry)))
        })

    private static let load = Route(
        method: .post, path: "/v2/repository/models/{model}/load",
        summary: "Loads a model from its folder, also one that is in use, which is swapped as by /admin/reload.",
        access: .scope(.admin), errors: .inference, body: .small,
        requests: [("application/json", Schemas.repositoryChange)], responses: [],
        handler: { call in
            // A configuration or files in the request would not be looked at.
            try await fields(call, known: ["parameters"]) { fields throws(RequestFailure) in
                if let value = fields["parameters"] { _ = try RequestFields(value, path: "parameters", known: []) }
            }
            try await call.reload(model: call.parameters["model"] ?? "")
            return Response(status: .ok)
        })

    private static let unload = Route(
        method: .post, path: "/v2/repository/models/{model}/unload",
        summary: "Takes a model out of memory when its last request ends, until it is loaded again.",
        access: .scope(.admin), errors: .inference, body: .small,
        requests: [("application/json", Schemas.repositoryUnload)], responses: [],
        handler: { call in
            try await fields(call, known: ["parameters"]) { fields throws(RequestFailure) in
                guard let value = fields["parameters"] else { return }
                // No model depends on another, so either value asks for the same.
                _ = try RequestFields(value, path: "parameters", known: ["unload_dependents"]).flag("unload_dependents")
            }
            let name = try call.changeableModel(named: call.parameters["model"] ?? "")
            do throws(ServingError) { try call.state.registry.unload(name: name) } catch {
                throw RequestFailure(error)
            }
            return Response(status: .ok)
        })

    /// Reads the body, an object that may also be absent.
    private static func fields<Value: Sendable>(
        _ call: RouteCall, known: Set<String>,
        _ read: @escaping @Sendable (RequestFields) throws(RequestFailure) -> Value
    ) async throws -> Value {
        try await call.decode { bytes throws(RequestFailure) -> Value in
            try read(RequestFields(bytes.isEmpty ? .object([]) : RequestJSON.parse(bytes), known: known))
        }
    }

    private static func entry(_ status: ModelStatus) -> JSONValue {
        let (state, reason): (String, String?) =
            switch status.state {
            case .ready: ("READY", status.reason)
            case .loading: ("LOADING", nil)
            case .failed: ("UNAVAILABLE", status.reason)
            case .unloaded: ("UNAVAILABLE", "gave its memory to another model; the next request loads it")
            case .withdrawn: ("UNAVAILABLE", "unloaded")
            }
        return [
            "name": .string(status.name), "version": .string(InferenceRoutes.version), "state": .string(state),
            "reason": .string(reason ?? ""),
        ]
    }
}
