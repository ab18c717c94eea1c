import ConcordCore
import ConcordMedia
import ConcordRuntime
import ConcordText

extension ServedModel {
    /// The problem of the queues; `nil` if they move.
    func checkQueues() -> String? { texts.check() ?? images?.check() ?? captioner?.check() }

    /// Sends the canary through the queues and threads of requests, ahead of all that wait.
    ///
    /// - Throws: `.failed` when the model does not say what it said when it was exported, or what a request would throw.
    func probe() async throws(ServingError) {
        let canary = manifest.canary
        // A place that nobody has to give up, so that a full queue does not look like a broken one.
        func place() -> QueueSlot { QueueSlot(onRelease: {}) }
        let context = WorkContext(requestID: "canary")
        let text = try await texts.run(
            model.prepare(text: canary.text), ticket: place(), goesFirst: true, context)
        try compare(text, canary.textEmbedding)
        guard let images, let size = model.preprocessing?.cropSize, let expected = canary.imageEmbedding else { return }
        let decoded = DecodingPool.Decoded(image: .canary(size: size), grant: nil)
        try compare(try await images.run(decoded, ticket: place(), goesFirst: true, context), expected)
        guard let captioner, let tokens = canary.caption, !tokens.isEmpty else { return }
        let item = CaptionJob(
            decoded: decoded, request: GenerationRequest(options: GenerationOptions(maxTokens: tokens.count)),
            text: CaptionText(tokenizer, prompt: nil, stops: []), onTokens: nil)
        let caption = try await captioner.run(item, ticket: place(), goesFirst: true, context)
        guard manifest.precision != .float32 || caption.first?.tokens == tokens else { throw .wrongCanary }
    }

    private func compare(_ found: [Float], _ expected: [Float]) throws(ServingError) {
        guard found.count == expected.count else { throw .wrongCanary }
        // Unit vectors, so this is the cosine. As strict as ``ExportedModel/checkCanary()``.
        let cosine = zip(found, expected).reduce(Float(0)) { $0 + $1.0 * $1.1 }
        guard cosine >= (manifest.precision == .float32 ? 0.9999 : 0.999) else { throw .wrongCanary }
    }
}

extension ServingError {
    static let wrongCanary = ServingError(.failed, "The model does not say what it said when it was exported.")
}
