import ConcordCore

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

    /// The first `dimensions` numbers as a unit vector; nil where they are all zero.
    static func cut(_ vector: [Float], to dimensions: Int) -> [Float]? {
        let beginning = vector.prefix(dimensions)
        let norm = beginning.reduce(into: 0.0) { $0 += Double($1) * Double($1) }.squareRoot()
        guard norm > 0 else { return nil }
        return beginning.map { Float(Double($0) / norm) }
    }
}
