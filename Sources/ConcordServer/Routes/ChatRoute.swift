import ConcordCore
import ConcordPlatform
import ConcordText
import HTTPTypes
import HummingbirdCore

enum ChatRoute {
    static let route = Route(
        post: "/v1/chat/completions",
        summary:
            "The caption of the picture in the messages, in OpenAI's schema. Texts of the user are not read: the model follows no instructions.",
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

    /// What all chunks of an answer begin with.
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
            let body = ErrorShape.openAI.body(of: RequestFailure(error), requestID: call.identity.requestID)
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
