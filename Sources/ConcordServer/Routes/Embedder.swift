import HTTPTypes

/// Embeds the inputs of a request, many at a time.
struct Embedder: Sendable {
    struct Item: Sendable {
        let vector: [Float]
        var tokens = 0
        var pixels = 0
        var isTruncated = false
    }

    let call: RouteCall
    let model: ServedModel
    let context: WorkContext
    var truncates = true

    /// Inputs of one request that wait at a time: a large request does not fill the queue.
    private static let window = 64

    /// The items of all inputs, in their order. Throws the first failure, and gives up the rest then.
    func items(_ inputs: [EmbeddingInput]) async throws(RequestFailure) -> [Item] {
        try await run(inputs, stopsAtFailure: true).get().map { result throws(RequestFailure) in try result.get() }
    }

    /// What became of each input.
    func results(_ inputs: [EmbeddingInput]) async -> [Result<Item, RequestFailure>] {
        switch await run(inputs, stopsAtFailure: false) {
        case .success(let results): results
        case .failure(let failure): inputs.map { _ in .failure(failure) }
        }
    }

    private func run(
        _ inputs: [EmbeddingInput], stopsAtFailure: Bool
    ) async -> Result<[Result<Item, RequestFailure>], RequestFailure> {
        if inputs.count == 1 { return .success([await result(inputs[0])]) }
        return await withTaskGroup(of: (Int, Result<Item, RequestFailure>).self) { group in
            var results = [Result<Item, RequestFailure>](repeating: .failure(.cancelled), count: inputs.count)
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

    private func result(_ input: EmbeddingInput) async -> Result<Item, RequestFailure> {
        do throws(RequestFailure) {
            switch input.content {
            case .text(let text):
                if input.isUndeclared, model.embedsImages, ImageText.isPictureAddress(text) {
                    throw .undeclaredAddress(input.parameter)
                }
                return .success(
                    try await item { () async throws(ServingError) in
                        try await model.embed(
                            text: text, parameter: input.parameter, truncates: truncates, context)
                    })
            case .tokens(let ids):
                return .success(
                    try await item { () async throws(ServingError) in
                        try await model.embed(
                            tokens: ids, parameter: input.parameter, truncates: truncates, context)
                    })
            case .image(let source): return .success(try await image(source, input.parameter))
            case .refused(let failure): return .failure(failure)
            }
        } catch {
            var failure = error
            // What is too large is not told which field it came in.
            if failure.status == .contentTooLarge, failure.parameter == nil { failure.parameter = input.parameter }
            return .failure(failure)
        }
    }

    private func image(_ source: ImageSource, _ parameter: String) async throws(RequestFailure) -> Item {
        let bytes = try await call.bytes(of: source, parameter: parameter, model, context)
        do throws(ServingError) {
            let (vector, pixels) = try await model.embed(image: bytes, parameter: parameter, context)
            return Item(vector: vector, pixels: pixels)
        } catch { throw RequestFailure(error) }
    }

    private func item(
        _ embed: () async throws(ServingError) -> (vector: [Float], tokens: Int, isTruncated: Bool)
    ) async throws(RequestFailure) -> Item {
        do throws(ServingError) {
            let (vector, tokens, isTruncated) = try await embed()
            return Item(vector: vector, tokens: tokens, isTruncated: isTruncated)
        } catch { throw RequestFailure(error) }
    }
}

extension RequestFailure {
    /// A text that is most likely meant as the picture at that address, whose vector it would not get.
    fileprivate static func undeclaredAddress(_ parameter: String) -> RequestFailure {
        .invalid(
            parameter,
            "\(parameter) is the address of a picture, given as a text; send {\"image\": \"…\"} for the picture, or "
                + "\"modality\": \"text\" for the letters of its address.", code: "picture_as_text")
    }
}
