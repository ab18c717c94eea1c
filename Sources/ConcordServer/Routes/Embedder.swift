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
            guard case .image(let source) = input.content else { return .success(try await text(input)) }
            return .success(try await image(source, input.parameter))
        } catch { return .failure(error) }
    }

    private func image(_ source: ImageSource, _ parameter: String) async throws(RequestFailure) -> Item {
        let bytes = try await call.bytes(of: source, parameter: parameter, model, context)
        do throws(ServingError) {
            let (vector, pixels) = try await model.embed(image: bytes, parameter: parameter, context)
            return Item(vector: vector, pixels: pixels)
        } catch { throw RequestFailure(error) }
    }

    private func text(_ input: EmbeddingInput) async throws(RequestFailure) -> Item {
        do throws(ServingError) {
            switch input.content {
            case .text(let text):
                let (vector, tokens, isTruncated) = try await model.embed(
                    text: text, parameter: input.parameter, truncates: truncates, context)
                return Item(vector: vector, tokens: tokens, isTruncated: isTruncated)
            case .tokens(let ids):
                let (vector, tokens, isTruncated) = try await model.embed(
                    tokens: ids, parameter: input.parameter, truncates: truncates, context)
                return Item(vector: vector, tokens: tokens, isTruncated: isTruncated)
            case .image: preconditionFailure("pictures have a way of their own")
            }
        } catch { throw RequestFailure(error) }
    }
}
