import ConcordCore
import ConcordRuntime
import HTTPTypes
import HummingbirdCore
import Synchronization

enum ModelRoutes {
    static let list = Route(
        get: "/v1/models", summary: "List the models (OpenAI schema).",
        responses: [("application/json", Schemas.modelList)],
        handler: { call in
            let statuses = call.state.registry.statuses
            // An alias is listed as its model, so that clients which look for a name in the list find it.
            let aliases = call.settings.configuration.aliases.compactMap { alias in
                statuses.first { $0.name == alias.model }.map { object($0, name: alias.name) }
            }
            return .json(["object": "list", "data": .array(statuses.map { object($0, name: $0.name) } + aliases)])
        })

    static let one = Route(
        get: "/v1/models/{model}", summary: "Show one model (OpenAI schema).",
        responses: [("application/json", Schemas.model)],
        handler: { call in
            let status = try status(call)
            return .json(object(status, name: call.parameters["model"] ?? status.name))
        })

    /// The status of the model in the path. Throws an error with 404.
    static func status(_ call: RouteCall) throws(ServingError) -> ModelStatus {
        let name = call.parameters["model"] ?? "", real = call.settings.configuration.modelName(name)
        guard let status = call.state.registry.statuses.first(where: { $0.name == real }) else {
            throw ServingError(.unknownModel, "There is no model \"\(name.shortened())\".")
        }
        return status
    }

    /// - Parameter name: the model's own, or an alias.
    private static func object(_ status: ModelStatus, name: String) -> JSONValue {
        let manifest = status.manifest
        var members: [JSONValue.Member] = [
            .init("id", .string(name)), .init("object", "model"), .init("created", 0),
            .init("owned_by", "concord"), .init("state", .string(status.state.rawValue)),
            .init("embedding_width", .integer(manifest.embeddingWidth)),
            .init("precision", .string(manifest.precision.rawValue)),
            .init("vector_space", .string(manifest.vectorSpace)),
            .init("embeds_images", .bool(manifest.graphs[.image] != nil)),
            .init("captions", .bool(manifest.graphs[.captionPrefill] != nil)),
        ]
        if name != status.name { members.append(.init("alias_of", .string(status.name))) }
        if let warning = status.warning { members.append(.init("warning", .string(warning))) }
        return .object(members)
    }
}

enum AdminRoutes {
    static let all: [Route] = [
        Route(
            post: "/admin/reload",
            summary: "Reload a model from its folder; it replaces the old one once it has passed its canary check.",
            access: .scope(.admin), body: .small, reading: BodyReader<ReloadRequest>.optionalJSON,
            handler: { call, request in
                let start = ContinuousClock.now
                let chosen = request.model ?? call.state.registry.statuses.first?.name ?? ""
                let name = try await call.reload(model: chosen)
                return .json([
                    "model": .string(name), "status": "reloaded",
                    "milliseconds": .number((start.duration(to: .now) / .milliseconds(1)).rounded()),
                ])
            })
    ]
}

/// The model repository extension of the Open Inference Protocol, as KServe and Triton have it. The repository is the
/// models that the server was started with.
enum RepositoryRoutes {
    static let all: [Route] = [index, load, unload]

    private static let index = Route(
        post: "/v2/repository/index", summary: "List all models with their states, or only the ready ones.",
        access: .scope(.admin), errors: .inference, body: .small,
        reading: BodyReader<RepositoryIndexRequest>.optionalJSON,
        responses: [("application/json", Schemas.repositoryIndex)],
        handler: { call, request in
            let models = call.state.registry.statuses.filter { !request.isReady || $0.state == .ready }
            return .json(.array(models.map(entry)))
        })

    private static let load = Route(
        post: "/v2/repository/models/{model}/load",
        summary: "Load a model from its folder; one in use is replaced as by /admin/reload.",
        access: .scope(.admin), errors: .inference, body: .small,
        reading: BodyReader<RepositoryLoadRequest>.optionalJSON, responses: [],
        handler: { call, _ in
            try await call.reload(model: call.parameters["model"] ?? "")
            return Response(status: .ok)
        })

    private static let unload = Route(
        post: "/v2/repository/models/{model}/unload",
        summary: "Unload a model after its last request, until it is loaded again.",
        access: .scope(.admin), errors: .inference, body: .small,
        reading: BodyReader<RepositoryUnloadRequest>.optionalJSON, responses: [],
        handler: { call, _ in
            let name = try call.changeableModel(named: call.parameters["model"] ?? "")
            try call.state.registry.unload(name: name)
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

/// Administration of models.
extension RouteCall {
    /// The name of a model that can be loaded or unloaded now. Throws an error with 404, or with 503 while it is being
    /// loaded.
    func changeableModel(named name: String) throws(ServingError) -> String {
        let name = settings.configuration.modelName(name)
        guard let status = state.registry.statuses.first(where: { $0.name == name }) else {
            throw .noSuchModel
        }
        guard status.state != .loading else { throw .loading(after: nil) }
        notes.withLock { $0.model = name }
        return name
    }

    /// Loads a model again, swaps it in, and returns its name. Throws as ``changeableModel(named:)``, and an error with
    /// 409 when the new one is not good.
    @discardableResult
    func reload(model name: String) async throws(ServingError) -> String {
        let name = try changeableModel(named: name)
        do throws(ConcordError) { try await state.registry.reload(name: name) } catch {
            // The message names files, which is for the log alone; the registry has told it there.
            throw ServingError(
                .conflict,
                "The model was not replaced: the new one does not load or fails its check. The log has more "
                    + "under the request's id.")
        }
        return name
    }
}

/// The body of `POST /admin/reload`.
struct ReloadRequest: JSONContent {
    struct Fields: FieldGroup {
        static let definition = FieldDefinition(Fields())

        let model = Field<TextKind>.model
    }

    /// `nil` for the first.
    let model: String?

    init(_ fields: RequestFields<Fields>) throws(ServingError) { model = try fields.value(\.model) }
}

/// The body of `POST /v2/repository/index`.
struct RepositoryIndexRequest: JSONContent {
    struct Fields: FieldGroup {
        static let definition = FieldDefinition(Fields())

        let ready = Field("ready", .flag, "Whether the list has the ready models only.")
    }

    let isReady: Bool

    init(_ fields: RequestFields<Fields>) throws(ServingError) { isReady = try fields.value(\.ready) ?? false }
}

/// The body of `POST /v2/repository/models/{model}/load`, which is empty. A configuration or files in the request would not
/// be looked at.
struct RepositoryLoadRequest: JSONContent {
    struct Fields: FieldGroup {
        static let definition = FieldDefinition(Fields())

        let parameters = Field("parameters", .object(Parameters.self))
    }

    struct Parameters: FieldGroup {
        static let definition = FieldDefinition(Parameters())
    }

    init(_ fields: RequestFields<Fields>) throws(ServingError) { _ = try fields.value(\.parameters) }
}

/// The body of `POST /v2/repository/models/{model}/unload`, which is empty, since no model depends on another.
struct RepositoryUnloadRequest: JSONContent {
    struct Fields: FieldGroup {
        static let definition = FieldDefinition(Fields())

        let parameters = Field("parameters", .object(Parameters.self))
    }

    struct Parameters: FieldGroup {
        static let definition = FieldDefinition(Parameters())

        let unloadDependents = Field(
            "unload_dependents", .flag, "Either value is the same: no model depends on another.")
    }

    init(_ fields: RequestFields<Fields>) throws(ServingError) {
        _ = try fields.value(\.parameters)?.value(\.unloadDependents)
    }
}
