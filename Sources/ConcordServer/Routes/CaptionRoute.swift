import ConcordCore
import ConcordText
import HTTPTypes
import HummingbirdCore

enum CaptionRoute {
    static let route = Route(
        method: .post, path: "/generate_caption",
        summary: "The caption of a picture, sent as a form, as JSON or as the whole body; word by word on request.",
        access: .scope(.caption), errors: .fastAPI, body: .large,
        requests: [
            ("multipart/form-data", Schemas.captionForm), ("application/json", Schemas.captionRequest),
            ("image/*", ["type": "string", "format": "binary"]),
        ],
        responses: [
            ("application/json", Schemas.captionResponse), ("text/event-stream", ["type": "string"]),
        ],
        handler: { try await answer($0) })

    private static func answer(_ call: RouteCall) async throws -> Response {
        let start = ContinuousClock.now
        let request = try streaming(try await read(call), call)
        let model = try call.model(named: request.model)
        try call.admit(items: 1)
        let context = try call.workContext()
        let options = try model.fitting(request.options, maxTokens: request.maxTokens, prompt: request.prompt)
        let image = try await call.bytes(of: request.image, parameter: "image", model, context)
        if request.streams {
            let stream = try await model.captionStream(
                image: image, parameter: "image", prompt: request.prompt, options: options, context)
            return .events { send in try await write(stream, model, since: start, call, send) }
        }
        let captions = try await model.caption(
            image: image, parameter: "image", prompt: request.prompt, options: options, context)
        guard let caption = captions.first else { throw RequestFailure.failed }
        call.charge(pixels: caption.pixels)
        return .json(json(caption, model, since: start))
    }

    /// The request, as a stream where the client accepts nothing else.
    private static func streaming(
        _ request: CaptionRequest, _ call: RouteCall
    ) throws(RequestFailure) -> CaptionRequest {
        guard call.request.headers[.accept]?.lowercased().contains("text/event-stream") == true else { return request }
        if case .beam = request.options.strategy {
            throw .invalid(
                "strategy", "A search with beams knows its caption only at the end; it cannot be streamed.")
        }
        var request = request
        request.streams = true
        return request
    }

    private static func write(
        _ stream: AsyncThrowingStream<CaptionEvent, any Error>, _ model: ServedModel,
        since start: ContinuousClock.Instant, _ call: RouteCall, _ send: ([UInt8]) async throws -> Void
    ) async throws {
        do {
            for try await event in stream {
                switch event {
                case .text(let text): try await send(ServerSentEvent.bytes(["text": .string(text)]))
                case .finished(let caption):
                    call.charge(pixels: caption.pixels)
                    try await send(ServerSentEvent.bytes(json(caption, model, since: start), name: "done"))
                }
            }
        } catch let error as ServingError {
            let body = ErrorShape.openAI.body(of: RequestFailure(error), requestID: call.identity.requestID)
            try await send(ServerSentEvent.bytes(body, name: "error"))
        }
    }

    private static func read(_ call: RouteCall) async throws -> CaptionRequest {
        let query = call.query
        let boundary = try call.formBoundary()
        return try await call.decode { bytes throws(RequestFailure) in
            if let boundary { return try CaptionRequest(MultipartForm(bytes, boundary: boundary)) }
            // No picture begins with a brace; what the client calls the body does not matter.
            let first = bytes.first { $0 != 0x20 && $0 != 0x09 && $0 != 0x0A && $0 != 0x0D }
            if first == UInt8(ascii: "{") { return try CaptionRequest(RequestJSON.parse(bytes)) }
            return try CaptionRequest(image: bytes, query: query)
        }
    }

    private static func json(
        _ caption: ServedCaption, _ model: ServedModel, since start: ContinuousClock.Instant
    ) -> JSONValue {
        let elapsed = start.duration(to: .now)
        return [
            "caption": .string(caption.text), "model": .string(model.name), "tokens": .integer(caption.tokens.count),
            "log_probability": .number(caption.logProbability),
            "finish_reason": .string(caption.finishReason.rawValue), "image_pixels": .integer(caption.pixels),
            "milliseconds": .number((elapsed / .microseconds(10)).rounded() / 100),
        ]
    }
}
