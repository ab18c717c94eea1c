import ConcordCore
import ConcordRuntime
import HTTPTypes
import HummingbirdCore

enum EmbeddingRoutes {
    static let openAI = Route(
        post: "/v1/embeddings",
        summary:
            "Embed texts and images (OpenAI schema; also accepts the inputs of Jina, Cohere and Voyage).",
        access: .scope(.embed), body: .large,
        reading: BodyReader<EmbeddingRequest>.jsonOrForm,
        responses: [("application/json", Schemas.embeddingResponse)],
        handler: { call, request in
            let response = try await answer(to: request, call)
            let bytes = try await call.state.offload(bytes: response.size) { () throws(ServingError) in
                response.openAI(request.formats[0])
            }
            return .bytes(bytes, type: "application/json")
        })

    static let cohere = Route(
        post: "/v2/embed", summary: "Embed texts and images (Cohere schema).",
        access: .scope(.embed), body: .large, reading: BodyReader<EmbeddingRequest>.jsonOrForm,
        responses: [("application/json", Schemas.cohereResponse)],
        handler: { call, request in
            guard !request.isPerItem else {
                throw ServingError.invalid(
                    "error_policy", "Cohere's answer has no place for errors of items; /v1/embeddings has.",
                    code: "unsupported")
            }
            let formats = request.formats
            let response = try await answer(to: request, call)
            let bytes = try await call.state.offload(bytes: response.size) { () throws(ServingError) in
                response.cohere(formats, id: call.identity.requestID)
            }
            return .bytes(bytes, type: "application/json")
        })

    private static func answer(
        to request: EmbeddingRequest, _ call: RouteCall
    ) async throws -> EmbeddingResponse {
        let model = try call.model(named: request.model)
        if let dimensions = request.dimensions, dimensions > model.manifest.embeddingWidth {
            throw ServingError.invalid(
                "dimensions",
                "dimensions is \(dimensions); the vectors of this model have \(model.manifest.embeddingWidth).")
        }
        try call.admit(items: request.inputs.count)
        let embedder = Embedder(
            call: call, model: model, context: try call.workContext(items: request.inputs.count),
            truncates: request.truncates)
        let results: [Result<Embedder.Item, ServingError>] =
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

/// Embeds the inputs of a request, many at a time.
struct Embedder: Sendable {
    struct Item: Sendable {
        let vector: [Float]
        var tokens = 0
        var pixels = 0
        var isTruncated = false

        init(vector: [Float], pixels: Int) {
            self.vector = vector
            self.pixels = pixels
        }

        init(_ text: (vector: [Float], tokens: Int, isTruncated: Bool)) {
            (vector, tokens, isTruncated) = text
        }
    }

    let call: RouteCall
    let model: ServedModel
    let context: WorkContext
    var truncates = true

    /// Inputs of one request that wait at a time: a large request does not fill the queue.
    private static let window = 64

    /// The items of all inputs, in their order. Throws the first failure, and gives up the rest then.
    func items(_ inputs: [RequestInput]) async throws(ServingError) -> [Item] {
        try await run(inputs, stopsAtFailure: true).get().map { result throws(ServingError) in try result.get() }
    }

    /// The result of each input.
    func results(_ inputs: [RequestInput]) async -> [Result<Item, ServingError>] {
        switch await run(inputs, stopsAtFailure: false) {
        case .success(let results): results
        case .failure(let failure): inputs.map { _ in .failure(failure) }
        }
    }

    private func run(
        _ inputs: [RequestInput], stopsAtFailure: Bool
    ) async -> Result<[Result<Item, ServingError>], ServingError> {
        if inputs.count == 1 { return .success([await result(inputs[0])]) }
        return await withTaskGroup(of: (Int, Result<Item, ServingError>).self) { group in
            var results = [Result<Item, ServingError>](repeating: .failure(.cancelled), count: inputs.count)
            var next = 0
            func add() {
                guard next < inputs.count else { return }
                group.addTask { [next] in (next, await result(inputs[next])) }
                next += 1
            }
            for _ in 0..<Self.window { add() }
            while let (index, result) = await group.next() {
                results[index] = result
                if stopsAtFailure, case .failure(let failure) = result {
                    // What is cancelled because of it must not hide it.
                    group.cancelAll()
                    return .failure(failure)
                }
                add()
            }
            return .success(results)
        }
    }

    private func result(_ input: RequestInput) async -> Result<Item, ServingError> {
        do throws(ServingError) {
            switch input.content {
            case .text(let text):
                if input.isUndeclared, model.hasImageTower, ImageText.isImageURL(text) {
                    throw .undeclaredAddress(input.parameter)
                }
                return .success(
                    Item(
                        try await model.embed(
                            text: text, parameter: input.parameter, truncates: truncates, context)))
            case .tokens(let ids):
                return .success(
                    Item(
                        try await model.embed(
                            tokens: ids, parameter: input.parameter, truncates: truncates, context)))
            case .image(let source): return .success(try await image(source, input.parameter))
            case .refused(let failure): return .failure(failure)
            }
        } catch {
            var failure = error
            // What is too large is not told which field it came in.
            if failure.kind == .tooLarge, failure.parameter == nil { failure.parameter = input.parameter }
            return .failure(failure)
        }
    }

    private func image(_ source: ImageSource, _ parameter: String) async throws(ServingError) -> Item {
        let bytes = try await call.bytes(of: source, parameter: parameter, model, context)
        let (vector, pixels) = try await model.embed(image: bytes, parameter: parameter, context)
        return Item(vector: vector, pixels: pixels)
    }
}

extension ServingError {
    /// A text that is most likely meant as the image at that address, whose vector it would not get.
    fileprivate static func undeclaredAddress(_ parameter: String) -> ServingError {
        .invalid(
            parameter,
            "\(parameter) is the address of a picture, given as a text; send {\"image\": \"…\"} for the picture, or "
                + "\"modality\": \"text\" for the letters of its address.", code: "picture_as_text")
    }
}

/// The answer to an embedding request.
struct EmbeddingResponse: Sendable {
    struct Item: Sendable {
        var result: Result<[Float], ServingError>
        var isTruncated = false
    }

    let model: String
    let items: [Item]
    let textTokens: Int
    let imagePixels: Int

    /// OpenAI's shape, with an `error` in place of `embedding` for an item that failed.
    func openAI(_ format: EmbeddingRequest.Format) -> [UInt8] {
        var output = JSONBytes(capacity: 256 + items.count * 64)
        output.raw(#"{"object":"list","data":"#)
        output.list(Array(items.enumerated())) { output, entry in
            switch entry.element.result {
            case .success(let vector):
                output.raw(#"{"object":"embedding","index":"#)
                output.integer(entry.offset)
                output.raw(#","embedding":"#)
                Self.write(vector, format, to: &output)
                if entry.element.isTruncated { output.raw(#","truncated":true"#) }
            case .failure(let failure):
                output.raw(#"{"object":"error","index":"#)
                output.integer(entry.offset)
                output.raw(#","error":"#)
                output.value(ErrorShape.openAIError(failure))
            }
            output.raw("}")
        }
        output.raw(#","model":"#)
        output.value(.string(model))
        output.raw(#","usage":"#)
        output.value(usage)
        output.raw("}")
        return output.bytes
    }

    /// Cohere's shape, of requests in which nothing failed.
    func cohere(_ formats: [EmbeddingRequest.Format], id: String) -> [UInt8] {
        let vectors = items.compactMap { try? $0.result.get() }
        var output = JSONBytes(capacity: 256 + items.count * 64)
        output.raw(#"{"id":"#)
        output.value(.string(id))
        output.raw(#","embeddings":{"#)
        for (index, format) in formats.enumerated() {
            if index > 0 { output.raw(",") }
            output.raw(format == .float ? #""float":"# : #""base64":"#)
            output.list(vectors) { Self.write($1, format, to: &$0) }
        }
        output.raw(#"},"response_type":"embeddings_by_type","meta":"#)
        output.value([
            "api_version": ["version": "2"],
            "billed_units": ["input_tokens": .integer(textTokens), "image_pixels": .integer(imagePixels)],
        ])
        output.raw("}")
        return output.bytes
    }

    private var usage: JSONValue {
        var members: [JSONValue.Member] = [
            .init("prompt_tokens", .integer(textTokens)), .init("total_tokens", .integer(textTokens)),
        ]
        if imagePixels > 0 { members.append(.init("image_pixels", .integer(imagePixels))) }
        return .object(members)
    }

    private static func write(_ vector: [Float], _ format: EmbeddingRequest.Format, to output: inout JSONBytes) {
        switch format {
        case .float: output.vector(vector)
        case .base64: output.base64(vector)
        }
    }

    /// The first `dimensions` numbers as a unit vector; `nil` where they are all zero.
    static func cut(_ vector: [Float], to dimensions: Int) -> [Float]? {
        let beginning = vector.prefix(dimensions)
        let norm = beginning.reduce(into: 0.0) { $0 += Double($1) * Double($1) }.squareRoot()
        guard norm > 0 else { return nil }
        return beginning.map { Float(Double($0) / norm) }
    }
}
