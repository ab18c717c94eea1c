import ConcordCore
import ConcordText
import HTTPTypes
import HummingbirdCore

enum CaptionRoute {
    static let route = Route(
        post: "/generate_caption",
        summary: "The caption of a picture, sent as a form, as JSON or as the whole body; word by word on request.",
        access: .scope(.caption), errors: .fastAPI, body: .large, reading: CaptionRequest.reader,
        responses: [
            ("application/json", Schemas.captionResponse), ("text/event-stream", ["type": "string"]),
        ],
        handler: { call, request in try await answer(call, streaming(request, call)) })

    private static func answer(_ call: RouteCall, _ request: CaptionRequest) async throws -> Response {
        let start = ContinuousClock.now
        let model = try call.model(named: request.model)
        try call.admit(items: 1)
        let context = try call.workContext()
        let options = try model.fitting(request.options, maxTokens: request.maxTokens, prompt: request.prompt)
        let cut = options.cut(from: request.maxTokens)
        let image = try await call.bytes(of: request.image, parameter: "image", model, context)
        if request.streams {
            let stream = try await model.captionStream(
                image: image, parameter: "image", prompt: request.prompt, stops: request.stops, options: options,
                context)
            return .events { send in
                try await write(stream, call, send) { json($0, model, cut: cut, since: start) }
            }
        }
        let captions = try await model.caption(
            image: image, parameter: "image", prompt: request.prompt, stops: request.stops, options: options, context)
        guard let caption = captions.first else { throw RequestFailure.failed }
        call.charge(pixels: caption.pixels)
        return .json(json(caption, model, cut: cut, since: start))
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
        _ stream: AsyncThrowingStream<CaptionEvent, any Error>, _ call: RouteCall,
        _ send: ([UInt8]) async throws -> Void, _ json: (ServedCaption) -> JSONValue
    ) async throws {
        do {
            for try await event in stream {
                switch event {
                case .text(let text): try await send(ServerSentEvent.bytes(["text": .string(text)]))
                case .finished(let caption):
                    call.charge(pixels: caption.pixels)
                    try await send(ServerSentEvent.bytes(json(caption), name: "done"))
                }
            }
        } catch let error as ServingError {
            let body = ErrorShape.openAI.body(of: RequestFailure(error), requestID: call.identity.requestID)
            try await send(ServerSentEvent.bytes(body, name: "error"))
        }
    }

    /// - Parameter cut: the most tokens that there could be, where more were asked for.
    private static func json(
        _ caption: ServedCaption, _ model: ServedModel, cut: Int?, since start: ContinuousClock.Instant
    ) -> JSONValue {
        let elapsed = start.duration(to: .now)
        var members: [JSONValue.Member] = [
            .init("caption", .string(caption.text)), .init("model", .string(model.name)),
            .init("tokens", .integer(caption.tokens.count)),
            .init("log_probability", .number(caption.logProbability)),
            .init("finish_reason", .string(caption.finishReason.rawValue)),
            .init("image_pixels", .integer(caption.pixels)),
            .init("milliseconds", .number((elapsed / .microseconds(10)).rounded() / 100)),
        ]
        if let cut { members.append(.init("max_tokens", .integer(cut))) }
        return .object(members)
    }
}
