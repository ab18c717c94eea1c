import ConcordCore
import ConcordRuntime
import Foundation
import HTTPTypes
import HummingbirdCore

enum ComparisonRoutes {
    static let similarity = Route(
        method: .post, path: "/similarity",
        summary: "How pictures and texts match: a row for each picture, a column for each text.",
        access: .scope(.embed), body: .large,
        requests: [("application/json", Schemas.comparisonRequest), ("multipart/form-data", Schemas.comparisonForm)],
        responses: [("application/json", Schemas.similarityResponse)],
        handler: { call in
            let (_, result, model) = try await compare(call)
            return .json([
                "model": .string(model.name), "similarities": rows(result.cosines), "logits": rows(result.logits),
                "usage": result.usage,
            ])
        })

    static let classify = Route(
        method: .post, path: "/classify",
        summary: "The most likely of some labels for each picture, with probabilities.",
        access: .scope(.embed), body: .large,
        requests: [("application/json", Schemas.comparisonRequest), ("multipart/form-data", Schemas.comparisonForm)],
        responses: [("application/json", Schemas.classifyResponse)],
        handler: { call in
            let (request, result, model) = try await compare(call)
            let results = result.logits.map { logits -> JSONValue in
                let probabilities = softmax(logits)
                let order = probabilities.indices.sorted { (-probabilities[$0], $0) < (-probabilities[$1], $1) }
                return [
                    "label": .string(request.texts[order[0]]),
                    "scores": .array(
                        order.map {
                            ["label": .string(request.texts[$0]), "probability": .number(probabilities[$0])]
                        }),
                ]
            }
            return .json([
                "model": .string(model.name), "results": .array(results), "usage": result.usage,
            ])
        })

    private struct Comparison: Sendable {
        let cosines: [[Float]]
        let logits: [[Float]]
        let usage: JSONValue
    }

    private static func compare(_ call: RouteCall) async throws -> (ComparisonRequest, Comparison, ServedModel) {
        let request = try await call.decode(
            json: { body throws(RequestFailure) in try ComparisonRequest(body) },
            form: { form throws(RequestFailure) in try ComparisonRequest(form) })
        let model = try call.model(named: request.model)
        let inputs = request.images + request.textInputs
        try call.admit(items: inputs.count)
        let embedder = Embedder(
            model: model, context: try call.workContext(items: inputs.count), truncates: request.truncates)
        let items = try await embedder.items(inputs)
        let images = items.prefix(request.images.count), texts = items.dropFirst(request.images.count)
        let pixels = images.reduce(0) { $0 + $1.pixels }
        call.charge(pixels: pixels)
        let work = images.count * texts.count * model.manifest.embeddingWidth
        let usage: JSONValue = [
            "prompt_tokens": .integer(texts.reduce(0) { $0 + $1.tokens }), "image_pixels": .integer(pixels),
            "truncated_texts": .integer(texts.count(where: \.isTruncated)),
        ]
        let comparison = try await call.state.offload(bytes: work) { () throws(RequestFailure) in
            let (images, texts) = (images.map(\.vector), texts.map(\.vector))
            let cosines = images.map { image in
                texts.map { text in zip(image, text).reduce(into: Float(0)) { $0 += $1.0 * $1.1 } }
            }
            return Comparison(cosines: cosines, logits: model.logits(images: images, texts: texts), usage: usage)
        }
        return (request, comparison, model)
    }

    private static func rows(_ rows: [[Float]]) -> JSONValue {
        // Through its own text, a Float keeps the shortest form: 0.1, not 0.10000000149.
        .array(rows.map { .array($0.map { .number(Double($0.description) ?? Double($0)) }) })
    }

    private static func softmax(_ logits: [Float]) -> [Double] {
        let maximum = logits.max() ?? 0
        let weights = logits.map { exp(Double($0 - maximum)) }
        let sum = weights.reduce(0, +)
        return weights.map { $0 / sum }
    }
}
