import ConcordCore
import HTTPTypes
import HummingbirdCore

/// The model repository extension of the Open Inference Protocol, as KServe and Triton have it. The repository is the
/// models that the server was started with.
enum RepositoryRoutes {
    static let all: [Route] = [index, load, unload]

    private static let index = Route(
        post: "/v2/repository/index", summary: "All models with their states, or the ready ones only.",
        access: .scope(.admin), errors: .inference, body: .small,
        reading: BodyReader<RepositoryIndexRequest>.optionalJSON,
        responses: [("application/json", Schemas.repositoryIndex)],
        handler: { call, request in
            let models = call.state.registry.statuses.filter { !request.isReady || $0.state == .ready }
            return .json(.array(models.map(entry)))
        })

    private static let load = Route(
        post: "/v2/repository/models/{model}/load",
        summary: "Loads a model from its folder, also one that is in use, which is swapped as by /admin/reload.",
        access: .scope(.admin), errors: .inference, body: .small,
        reading: BodyReader<RepositoryLoadRequest>.optionalJSON, responses: [],
        handler: { call, _ in
            try await call.reload(model: call.parameters["model"] ?? "")
            return Response(status: .ok)
        })

    private static let unload = Route(
        post: "/v2/repository/models/{model}/unload",
        summary: "Takes a model out of memory when its last request ends, until it is loaded again.",
        access: .scope(.admin), errors: .inference, body: .small,
        reading: BodyReader<RepositoryUnloadRequest>.optionalJSON, responses: [],
        handler: { call, _ in
            let name = try call.changeableModel(named: call.parameters["model"] ?? "")
            do throws(ServingError) { try call.state.registry.unload(name: name) } catch {
                throw RequestFailure(error)
            }
            return Response(status: .ok)
        })

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
