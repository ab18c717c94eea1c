import ConcordCore
import ConcordText

/// The request of `POST /v1/chat/completions`: the caption of the one image in the messages.
///
/// The model writes captions and follows no instructions: texts of the user and the system are accepted and not read.
/// A last message of the assistant is what the caption begins with, and so is the field `prompt`.
struct ChatRequest: JSONContent {
    typealias Fields = ChatFields

    let model: String?
    let image: ImageSource
    let imageParameter: String
    let prompt: String?
    let options: GenerationOptions
    /// `nil` for what the model has room for.
    let maxTokens: Int?
    let stops: [String]
    let streams: Bool
    let streamsUsage: Bool

    init(_ fields: RequestFields<ChatFields>) throws(ServingError) {
        model = try fields.value(\.model)
        streams = try fields.value(\.stream) ?? false
        streamsUsage = try fields.value(\.streamOptions)?.value(\.includeUsage) ?? false
        let olderMaxTokens = try fields.value(\.maxTokens)
        maxTokens = try fields.value(\.maxCompletionTokens) ?? olderMaxTokens
        stops = try fields.value(\.stop) ?? []
        let temperature = try fields.value(\.temperature)
        let topP = try fields.value(\.topP)
        let isSampled = (temperature ?? 0) > 0
        var settings = GenerationSettings()
        settings.temperature = isSampled ? temperature : nil
        // Without a temperature the likeliest token is taken, whatever share top_p leaves.
        settings.topP = isSampled ? topP : nil
        settings.seed = try fields.value(\.seed).map(UInt64.init)
        settings.resultCount = try fields.value(\.n)
        options = try settings.options(streams: streams)

        let messages = try fields.value(\.messages).values()
        guard !messages.isEmpty else { throw .missing("messages") }
        var found: (source: ImageSource, parameter: String)?
        var beginning: String?
        for message in messages {
            let role = try message.value(\.role)
            // Only that of the last message counts.
            beginning = nil
            guard let content = try message.value(\.content) else {
                guard role == .assistant else { throw .missing(message.name(\.content)) }
                continue
            }
            var texts: [String] = []
            for part in content {
                switch part {
                case .text(let text, let parameter):
                    // Else the answer would be that there is no image, though the client has sent one.
                    if role == .user { try ImageText.refuseDataURI(in: text, parameter: parameter) }
                    texts.append(text)
                case .image(let source, let parameter):
                    guard found == nil else {
                        throw .invalid(
                            parameter, "The messages have several pictures; send one.", code: "unsupported")
                    }
                    found = (source, parameter)
                case .refusal: continue
                }
            }
            if role == .assistant { beginning = texts.joined() }
        }
        guard let found else {
            throw .invalid(
                "messages", "The messages have no picture; this model captions the picture of an image_url part.")
        }
        image = found.source
        imageParameter = found.parameter
        let given = try fields.value(\.prompt) ?? beginning
        prompt = given.flatMap { $0.isEmpty ? nil : $0 }
    }
}

/// The fields of `POST /v1/chat/completions`: OpenAI's, and `prompt`.
struct ChatFields: FieldGroup {
    static let definition = FieldDefinition(ChatFields())

    let model = Field<TextKind>.model
    let messages = RequiredField(
        "messages", .list(of: ObjectKind<MessageFields>(), upTo: 256),
        "One picture, in a part image_url. Texts are not read, but what a last message of the assistant begins with.")
    let maxTokens = Field<IntegerKind>.maxTokens
    let maxCompletionTokens = Field("max_completion_tokens", .integer(from: 1), "As max_tokens.")
    let temperature = Field("temperature", .number(in: 0...2), "Above 0 the caption is drawn.")
    let topP = Field("top_p", .number(in: 0...1), "The share of the likeliest tokens that may be drawn.")
    let n = Field("n", .integer(in: 1...16), "Captions; several are drawn with a temperature above 0.")
    let seed = Field<IntegerKind>.seed
    let stop = Field<StopKind>.stop
    let stream = Field("stream", .flag, "Whether the caption comes as server-sent events, word by word.")
    let streamOptions = Field("stream_options", .object(StreamFields.self))
    let prompt = Field("prompt", .text, "What the caption begins with; it is part of it.")

    // What the caption would be the same with.
    let user = Field<UnusedKind>.user
    let store = Field("store", .unused(["type": "boolean"]), "Accepted and not used: nothing is stored.")
    let metadata = Field("metadata", .unused(["type": "object"]), "Accepted and not used.")
    let serviceTier = Field("service_tier", .unused(["type": "string"]), "Accepted and not used.")
    let safetyIdentifier = Field("safety_identifier", .unused(["type": "string"]), "Accepted and not used.")
    let promptCacheKey = Field("prompt_cache_key", .unused(["type": "string"]), "Accepted and not used.")
    let promptCacheRetention = Field("prompt_cache_retention", .unused(["type": "string"]), "Accepted and not used.")
    let parallelToolCalls = Field("parallel_tool_calls", .unused(["type": "boolean"]), "Accepted and not used.")
    let prediction = Field("prediction", .unused(["type": "object"]), "Accepted and not used.")
    let reasoningEffort = Field("reasoning_effort", .unused(["type": "string"]), "Accepted and not used.")
    let verbosity = Field("verbosity", .unused(["type": "string"]), "Accepted and not used.")

    // What the caption would have to be another with.
    let presencePenalty = Field("presence_penalty", .only([0], "presence_penalty is not supported."))
    let frequencyPenalty = Field("frequency_penalty", .only([0], "frequency_penalty is not supported."))
    let logitBias = Field("logit_bias", .only([[:]], "logit_bias is not supported."))
    let logprobs = Field("logprobs", .only([false], "logprobs is not supported."))
    let topLogprobs = Field("top_logprobs", .only([0], "top_logprobs is not supported."))
    let tools = Field("tools", .only([[]], "This model calls no tools."))
    let toolChoice = Field("tool_choice", .only(["none", "auto"], "This model calls no tools."))
    let functions = Field("functions", .only([[]], "This model calls no functions."))
    let functionCall = Field("function_call", .only(["none", "auto"], "This model calls no functions."))
    let responseFormat = Field("response_format", .only([["type": "text"]], "Captions are plain text."))
    let modalities = Field("modalities", .only([["text"]], "Captions are plain text."))
    let audio = Field("audio", .only([], "Captions are plain text."))
    let webSearchOptions = Field("web_search_options", .only([], "This model searches nothing."))

    struct StreamFields: FieldGroup {
        static let definition = FieldDefinition(StreamFields())

        let includeUsage = Field("include_usage", .flag, "Whether a last chunk has the usage.")
        let includeObfuscation = Field("include_obfuscation", .unused(["type": "boolean"]), "Accepted and not used.")
    }

    struct MessageFields: FieldGroup {
        static let definition = FieldDefinition(MessageFields())

        let role = RequiredField(
            "role", .choice(["user": Role.user, "system": .system, "developer": .system, "assistant": .assistant]))
        let content = Field("content", MessageContentKind())
        let name = Field("name", .unused(["type": "string"]), "Accepted and not used.")

        // What an answer has, too, so that it can be sent back.
        let refusal = Field("refusal", .unused(["type": "string"]), "Accepted and not used.")
        let annotations = Field("annotations", .unused(["type": "array"]), "Accepted and not used.")
        let reasoningContent = Field("reasoning_content", .unused(["type": "string"]), "Accepted and not used.")
        let audio = Field("audio", .only([], "Captions are plain text."))
        let toolCalls = Field("tool_calls", .only([[]], "This model calls no tools."))
        let functionCall = Field("function_call", .only([], "This model calls no functions."))
    }

    enum Role: Sendable {
        case user, system, assistant
    }
}

/// The content of a message: a text, or its parts.
struct MessageContentKind: FieldKind {
    private static let parts = ListKind(element: ObjectKind<ContentPart.Fields>(), maximum: 64)

    var schema: JSONValue { ["oneOf": [["type": "string"], Self.parts.schema]] }

    func value(of json: JSONValue, _ name: String) throws(ServingError) -> [ContentPart] {
        if let text = json.string { return [.text(text, parameter: name)] }
        guard json.elements != nil else { throw wrong(name, "a string or an array", json) }
        var parts: [ContentPart] = []
        for fields in try Self.parts.value(of: json, name).values() { parts.append(try ContentPart(fields)) }
        return parts
    }
}
