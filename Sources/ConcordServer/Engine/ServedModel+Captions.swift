import ConcordCore
import ConcordRuntime
import ConcordText

extension ServedModel {
    /// An image that waits for its caption.
    private struct Accepted {
        let captioner: Batcher<CaptionJob, [GeneratedTokens]>
        let ticket: QueueSlot
        let decoded: DecodingPool.Decoded
        let request: GenerationRequest
        let text: CaptionText
        let pixels: Int
    }

    /// The captions of an encoded image: as many as the options ask for, at most.
    ///
    /// - Parameters:
    ///   - prompt: what the captions begin with; it is part of their text.
    ///   - stops: texts at which a caption ends, which are not part of it. What it begins with is not searched for them.
    package func caption(
        image bytes: [UInt8], parameter: String? = nil, prompt: String? = nil, stops: [String] = [],
        options: GenerationOptions, _ context: WorkContext
    ) async throws(ServingError) -> [ServedCaption] {
        try await counted(.caption) { () async throws(ServingError) in
            let accepted = try await accept(bytes, parameter, prompt, stops, options, context)
            let item = CaptionJob(
                decoded: accepted.decoded, request: accepted.request, text: accepted.text, onTokens: nil)
            let results = try await accepted.captioner.run(item, ticket: accepted.ticket, context)
            return results.map { served($0, accepted) }
        }
    }

    /// The caption of an encoded image, as it comes. Throws before anything comes where the request is refused.
    ///
    /// Errors of the stream are ``ServingError``. Work ends when the stream is dropped. One result only; that of a search
    /// comes in one piece.
    package func captionStream(
        image bytes: [UInt8], parameter: String? = nil, prompt: String? = nil, stops: [String] = [],
        options: GenerationOptions, _ context: WorkContext
    ) async throws(ServingError) -> AsyncThrowingStream<CaptionEvent, any Error> {
        guard options.resultCount == 1 else {
            throw ServingError(.invalidInput, "A stream has one caption; ask for one result.")
        }
        let accepted: Accepted
        do throws(ServingError) {
            accepted = try await accept(bytes, parameter, prompt, stops, options, context)
        } catch {
            metrics.items(model: name, modality: .caption, outcome: error.outcome)
            throw error
        }
        let (stream, continuation) = AsyncThrowingStream.makeStream(of: CaptionEvent.self)
        let pieces = CaptionPieces(accepted.text)
        let item = CaptionJob(decoded: accepted.decoded, request: accepted.request, text: accepted.text) { tokens in
            if let piece = pieces.piece(adding: tokens) { continuation.yield(.text(piece)) }
        }
        let task = Task { [self] in
            do throws(ServingError) {
                try await counted(.caption) { () async throws(ServingError) in
                    let results = try await accepted.captioner.run(item, ticket: accepted.ticket, context)
                    guard let result = results.first else { throw .noCaption }
                    if let rest = pieces.rest(of: result.tokens) { continuation.yield(.text(rest)) }
                    continuation.yield(.finished(served(result, accepted)))
                }
                continuation.finish()
            } catch {
                continuation.finish(throwing: error)
            }
        }
        continuation.onTermination = { _ in task.cancel() }
        return stream
    }

    private func accept(
        _ bytes: [UInt8], _ parameter: String?, _ prompt: String?, _ stops: [String], _ options: GenerationOptions,
        _ context: WorkContext
    ) async throws(ServingError) -> Accepted {
        guard let captioner else { throw ServingError(.unsupported, "This model does not caption.") }
        let request: GenerationRequest
        do throws(ConcordError) {
            let tokens = try prompt.map { text throws(ConcordError) in try model.prepare(prompt: text) }
            request = GenerationRequest(prompt: tokens, options: options)
            try options.validate(
                prompt: tokens ?? Array(tokenizer.encode("").prefix(1)), vocabularySize: tokenizer.vocabularySize,
                contextLength: contextLength)
        } catch {
            throw ServingError(.invalidInput, error.message)
        }
        let ticket = try captioner.admit(context), decodingTicket = try decoding.admit(context)
        let inspection = try await decoding.inspect(bytes, parameter: parameter)
        let decoded = try await prepare(bytes, inspection, parameter, decodingTicket, context)
        return Accepted(
            captioner: captioner, ticket: ticket, decoded: decoded, request: request,
            text: CaptionText(tokenizer, prompt: request.prompt, stops: stops), pixels: inspection.pixels)
    }

    private func served(_ result: GeneratedTokens, _ accepted: Accepted) -> ServedCaption {
        let text = accepted.text.whole(result.tokens)
        return ServedCaption(
            text: String(text.scalars), tokens: result.tokens, logProbability: result.logProbability,
            finishReason: text.isStopped ? .stop : result.finishReason,
            promptTokens: accepted.request.prompt?.count ?? 1,
            pixels: accepted.pixels)
    }
}

extension ServingError {
    static let noCaption = ServingError(
        .invalidInput, "The options leave no caption; allow more tokens.")
}

/// A caption of an image.
package struct ServedCaption: Sendable, Hashable {
    package var text: String
    /// The new tokens, a stop token at the end included.
    package var tokens: [Int32]
    /// The sum of the logarithms of the tokens' probabilities.
    package var logProbability: Double
    package var finishReason: GeneratedTokens.FinishReason
    /// The number of tokens that the caption began from, the start token included.
    package var promptTokens: Int
    /// Width × height of the image as it was sent.
    package var pixels: Int

    package init(
        text: String, tokens: [Int32], logProbability: Double, finishReason: GeneratedTokens.FinishReason,
        promptTokens: Int, pixels: Int
    ) {
        self.text = text
        self.tokens = tokens
        self.logProbability = logProbability
        self.finishReason = finishReason
        self.promptTokens = promptTokens
        self.pixels = pixels
    }
}

/// An event of a caption stream.
package enum CaptionEvent: Sendable, Hashable {
    /// Text that joins the caption. All pieces put together are the text of the caption.
    case text(String)
    /// The end: the caption as a whole.
    case finished(ServedCaption)
}
