import ConcordCore
import ConcordText
import HTTPTypes
import HummingbirdCore

enum CaptionRoute {
    static let route = Route(
        post: "/generate_caption",
        summary: "Caption an image sent as a form, as JSON or as the request body; can stream the caption.",
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
        guard let caption = captions.first else { throw ServingError.failed("a search without a caption") }
        call.charge(pixels: caption.pixels)
        return .json(json(caption, model, cut: cut, since: start))
    }

    /// The request, as a stream where the client accepts nothing else.
    private static func streaming(
        _ request: CaptionRequest, _ call: RouteCall
    ) throws(ServingError) -> CaptionRequest {
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
            let body = ErrorShape.openAI.body(of: error, requestID: call.identity.requestID)
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

enum ChatRoute {
    static let route = Route(
        post: "/v1/chat/completions",
        summary:
            "Caption the image in the messages (OpenAI schema). The model follows no instructions, so user texts are ignored.",
        access: .scope(.caption), body: .large, reading: BodyReader<ChatRequest>.json,
        responses: [("application/json", Schemas.chatResponse), ("text/event-stream", ["type": "string"])],
        handler: { call, request in
            let model = try call.model(named: request.model)
            try call.admit(items: 1)
            let context = try call.workContext()
            let options = try model.fitting(request.options, maxTokens: request.maxTokens, prompt: request.prompt)
            let image = try await call.bytes(
                of: request.image, parameter: request.imageParameter, model, context)
            let head = Head(
                id: "chatcmpl-\(call.identity.requestID)", model: model.name, cut: options.cut(from: request.maxTokens))
            guard !request.streams else {
                let stream = try await model.captionStream(
                    image: image, parameter: request.imageParameter, prompt: request.prompt, stops: request.stops,
                    options: options, context)
                return .events { send in try await write(stream, request, head, call, send) }
            }
            let captions = try await model.caption(
                image: image, parameter: request.imageParameter, prompt: request.prompt, stops: request.stops,
                options: options, context)
            call.charge(pixels: captions.first?.pixels ?? 0)
            let choices = captions.enumerated().map { index, caption -> JSONValue in
                [
                    "index": .integer(index),
                    "message": ["role": "assistant", "content": .string(caption.text), "refusal": nil],
                    "logprobs": nil, "finish_reason": .string(caption.finishReason.rawValue),
                ]
            }
            return .json(
                head.object("chat.completion", choices, usage: usage(captions)))
        })

    /// The members that all chunks of a response begin with.
    private struct Head: Sendable {
        let id: String
        let model: String
        /// The most tokens that there could be, where more were asked for.
        let cut: Int?
        let created = Int(Date().timeIntervalSince1970)

        func object(_ kind: String, _ choices: [JSONValue], usage: JSONValue?) -> JSONValue {
            var members: [JSONValue.Member] = [
                .init("id", .string(id)), .init("object", .string(kind)), .init("created", .integer(created)),
                .init("model", .string(model)), .init("choices", .array(choices)),
            ]
            if let usage { members.append(.init("usage", usage)) }
            if let cut { members.append(.init("max_tokens", .integer(cut))) }
            return .object(members)
        }
    }

    private static func write(
        _ stream: AsyncThrowingStream<CaptionEvent, any Error>, _ request: ChatRequest, _ head: Head, _ call: RouteCall,
        _ send: ([UInt8]) async throws -> Void
    ) async throws {
        func chunk(_ delta: JSONValue, finish: JSONValue = nil) -> [UInt8] {
            let choice: JSONValue = ["index": 0, "delta": delta, "logprobs": nil, "finish_reason": finish]
            return ServerSentEvent.bytes(
                head.object("chat.completion.chunk", [choice], usage: request.streamsUsage ? .null : nil))
        }
        do {
            try await send(chunk(["role": "assistant", "content": ""]))
            for try await event in stream {
                switch event {
                case .text(let text): try await send(chunk(["content": .string(text)]))
                case .finished(let caption):
                    call.charge(pixels: caption.pixels)
                    try await send(chunk([:], finish: .string(caption.finishReason.rawValue)))
                    if request.streamsUsage {
                        try await send(
                            ServerSentEvent.bytes(head.object("chat.completion.chunk", [], usage: usage([caption]))))
                    }
                }
            }
        } catch let error as ServingError {
            let body = ErrorShape.openAI.body(of: error, requestID: call.identity.requestID)
            try await send(ServerSentEvent.bytes(body))
        }
        try await send(ServerSentEvent.done)
    }

    private static func usage(_ captions: [ServedCaption]) -> JSONValue {
        let prompt = captions.first?.promptTokens ?? 0
        let completion = captions.reduce(0) { $0 + $1.tokens.count }
        return [
            "prompt_tokens": .integer(prompt), "completion_tokens": .integer(completion),
            "total_tokens": .integer(prompt + completion), "image_pixels": .integer(captions.first?.pixels ?? 0),
        ]
    }
}

extension ServedModel {
    /// The most bytes of a caption's beginning: many more than a context has room for.
    private static let maximumPromptBytes = 16 << 10

    /// The options with a length: that which was asked for, or 30 tokens, but no more than the context has room for.
    ///
    /// - Throws: an error with 413 for a prompt that is too long to be looked at.
    func fitting(
        _ options: GenerationOptions, maxTokens: Int?, prompt: String?
    ) throws(ServingError) -> GenerationOptions {
        guard (prompt?.utf8.count ?? 0) <= Self.maximumPromptBytes else {
            throw .tooLarge("The prompt may have \(Self.maximumPromptBytes) bytes.", parameter: "prompt")
        }
        var options = options
        // A text's tokens without the one that ends it; without a text there is the start token.
        let ends = max(tokenizer.encode("").count - 1, 0)
        let beginning = prompt.map { max(tokenizer.encode($0).count - ends, 1) } ?? 1
        options.maxTokens = min(maxTokens ?? 30, max(1, contextLength - beginning))
        return options
    }
}

extension GenerationOptions {
    /// The most tokens, where more were asked for, which an answer says.
    func cut(from asked: Int?) -> Int? { asked.map { $0 > maxTokens } ?? false ? maxTokens : nil }
}
