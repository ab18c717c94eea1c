import ConcordCore
import ConcordRuntime
import HTTPTypes
import HummingbirdCore

enum EmbeddingRoutes {
    static let openAI = Route(
        post: "/v1/embeddings",
        summary:
            "Unit vectors of texts and pictures, in OpenAI's schema; takes Jina's, Cohere's and Voyage's inputs, too.",
        access: .scope(.embed), body: .large,
        reading: BodyReader<EmbeddingRequest>.jsonOrForm,
        responses: [("application/json", Schemas.embeddingResponse)],
        handler: { call, request in
            let response = try await answer(to: request, call)
            let bytes = try await call.state.offload(bytes: response.size) { () throws(RequestFailure) in
                response.openAI(request.formats[0])
            }
            return .bytes(bytes, type: "application/json")
        })

    static let cohere = Route(
        post: "/v2/embed", summary: "Unit vectors of texts and pictures, in Cohere's schema.",
        access: .scope(.embed), body: .large, reading: BodyReader<EmbeddingRequest>.jsonOrForm,
        responses: [("application/json", Schemas.cohereResponse)],
        handler: { call, request in
            guard !request.isPerItem else {
                throw RequestFailure.invalid(
                    "error_policy", "Cohere's answer has no place for errors of items; /v1/embeddings has.",
                    code: "unsupported")
            }
            let formats = request.formats
            let response = try await answer(to: request, call)
            let bytes = try await call.state.offload(bytes: response.size) { () throws(RequestFailure) in
                response.cohere(formats, id: call.identity.requestID)
            }
            return .bytes(bytes, type: "application/json")
        })

    private static func answer(
        to request: EmbeddingRequest, _ call: RouteCall
    ) async throws -> EmbeddingResponse {
        let model = try call.model(named: request.model)
        if let dimensions = request.dimensions, dimensions > model.manifest.embeddingWidth {
            throw RequestFailure.invalid(
                "dimensions",
                "dimensions is \(dimensions); the vectors of this model have \(model.manifest.embeddingWidth).")
        }
        try call.admit(items: request.inputs.count)
        let embedder = Embedder(
            call: call, model: model, context: try call.workContext(items: request.inputs.count),
            truncates: request.truncates)
        let results: [Result<Embedder.Item, RequestFailure>] =
            request.isPerItem
            ? await embedder.results(request.inputs)
            : try await embedder.items(request.inputs).map { .success($0) }
        var (tokens, pixels) = (0, 0)
        let items = results.map { result -> EmbeddingResponse.Item in
            switch result {
            case .failure(let failure): return EmbeddingResponse.Item(result: .failure(failure))
            case .success(let item):
                tokens += item.tokens
                pixels += item.pixels
                let vector = request.dimensions.map { EmbeddingResponse.cut(item.vector, to: $0) } ?? item.vector
                guard let vector else {
                    return EmbeddingResponse.Item(
                        result: .failure(.invalid("dimensions", "The vector's first numbers are all zero.")))
                }
                return EmbeddingResponse.Item(result: .success(vector), isTruncated: item.isTruncated)
            }
        }
        if !request.isPerItem {
            for item in items { _ = try item.result.get() }
        }
        call.charge(pixels: pixels)
        return EmbeddingResponse(model: model.name, items: items, textTokens: tokens, imagePixels: pixels)
    }
}

extension EmbeddingResponse {
    /// About the bytes of the answer.
    var size: Int { items.reduce(0) { $0 + ((try? $1.result.get().count) ?? 0) } * 12 }
}
