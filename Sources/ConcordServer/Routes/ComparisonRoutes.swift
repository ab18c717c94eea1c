import ConcordCore
import HTTPTypes
import HummingbirdCore

enum ComparisonRoutes {
    static let similarity = Route(
        post: "/similarity",
        summary: "Cosine similarities: one row per image, one column per text.",
        access: .scope(.embed), body: .large,
        reading: BodyReader<ComparisonRequest>.jsonOrForm,
        responses: [("application/json", Schemas.similarityResponse)],
        handler: { call, request in
            let comparison = try await compare(request, call)
            let bytes = try await call.state.offload(bytes: comparison.work) { () throws(ServingError) in
                comparison.similarity()
            }
            return .bytes(bytes, type: "application/json")
        })

    static let classify = Route(
        post: "/classify",
        summary: "Zero-shot classification: the labels of each image with probabilities, most likely first.",
        access: .scope(.embed), body: .large,
        reading: BodyReader<ComparisonRequest>.jsonOrForm,
        responses: [("application/json", Schemas.classifyResponse)],
        handler: { call, request in
            let comparison = try await compare(request, call)
            let bytes = try await call.state.offload(bytes: comparison.work) { () throws(ServingError) in
                comparison.classification()
            }
            return .bytes(bytes, type: "application/json")
        })

    private static func compare(_ request: ComparisonRequest, _ call: RouteCall) async throws -> ComparisonResponse {
        let model = try call.model(named: request.model)
        let inputs = request.images + request.textInputs
        try call.admit(items: inputs.count)
        let embedder = Embedder(
            call: call, model: model, context: try call.workContext(items: inputs.count), truncates: request.truncates)
        let items = try await embedder.items(inputs)
        let images = items.prefix(request.images.count), texts = items.dropFirst(request.images.count)
        let pixels = images.reduce(0) { $0 + $1.pixels }
        call.charge(pixels: pixels)
        return ComparisonResponse(
            model: model, images: images.map(\.vector), texts: texts.map(\.vector), names: request.texts,
            usage: [
                "prompt_tokens": .integer(texts.reduce(0) { $0 + $1.tokens }), "image_pixels": .integer(pixels),
                "truncated_texts": .integer(texts.count(where: \.isTruncated)),
            ])
    }
}
