import ConcordCore
import ConcordRuntime
import HTTPTypes
import HummingbirdCore

enum ModelRoutes {
    static let list = Route(
        method: .get, path: "/v1/models", summary: "The models, in OpenAI's schema.",
        responses: [("application/json", Schemas.modelList)],
        handler: { call in
            .json(["object": "list", "data": .array(call.state.registry.statuses.map(object))])
        })

    static let one = Route(
        method: .get, path: "/v1/models/{model}", summary: "One model, in OpenAI's schema.",
        responses: [("application/json", Schemas.model)],
        handler: { call in .json(object(try status(call))) })

    /// The status of the model in the path. Throws a failure with 404.
    static func status(_ call: RouteCall) throws(RequestFailure) -> ModelStatus {
        let name = call.parameters["model"] ?? ""
        guard let status = call.state.registry.statuses.first(where: { $0.name == name }) else {
            throw RequestFailure(
                status: .notFound, message: "There is no model \"\(name.shortened())\".", parameter: "model",
                code: "model_not_found")
        }
        return status
    }

    private static func object(_ status: ModelStatus) -> JSONValue {
        let manifest = status.manifest
        var members: [JSONValue.Member] = [
            .init("id", .string(status.name)), .init("object", "model"), .init("created", 0),
            .init("owned_by", "concord"), .init("state", .string(status.state.rawValue)),
            .init("embedding_width", .integer(manifest.embeddingWidth)),
            .init("precision", .string(manifest.precision.rawValue)),
            .init("vector_space", .string(manifest.vectorSpace)),
            .init("embeds_images", .bool(manifest.graphs[.image] != nil)),
            .init("captions", .bool(manifest.graphs[.captionPrefill] != nil)),
        ]
        if let warning = status.warning { members.append(.init("warning", .string(warning))) }
        return .object(members)
    }
}
