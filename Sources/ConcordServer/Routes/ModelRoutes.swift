import ConcordCore
import ConcordRuntime
import HTTPTypes
import HummingbirdCore

enum ModelRoutes {
    static let list = Route(
        get: "/v1/models", summary: "The models, in OpenAI's schema.",
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
        get: "/v1/models/{model}", summary: "One model, in OpenAI's schema.",
        responses: [("application/json", Schemas.model)],
        handler: { call in
            let status = try status(call)
            return .json(object(status, name: call.parameters["model"] ?? status.name))
        })

    /// The status of the model in the path. Throws a failure with 404.
    static func status(_ call: RouteCall) throws(RequestFailure) -> ModelStatus {
        let name = call.parameters["model"] ?? "", real = call.settings.configuration.modelName(name)
        guard let status = call.state.registry.statuses.first(where: { $0.name == real }) else {
            throw RequestFailure(
                status: .notFound, message: "There is no model \"\(name.shortened())\".", parameter: "model",
                code: "model_not_found")
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
