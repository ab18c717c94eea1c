import ConcordCore
import ConcordText

/// What `POST /v1/chat/completions` asks for: the caption of the one picture in the messages.
///
/// The model writes captions and follows no instructions: texts of the user and the system are accepted and not read.
/// A last message of the assistant is what the caption begins with, and so is the field `prompt`.
struct ChatRequest: Sendable {
    let model: String?
    let image: ImageSource
    let imageParameter: String
    let prompt: String?
    let options: GenerationOptions
    /// Nil for what the model has room for.
    let maxTokens: Int?
    let streams: Bool
    let streamsUsage: Bool

    static let known: Set<String> = [
        "model", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "n", "seed", "stream",
        "stream_options", "user", "prompt", "stop", "presence_penalty", "frequency_penalty", "logprobs",
        "response_format",
    ]

    init(_ body: JSONValue) throws(RequestFailure) {
        let fields = try RequestFields(body, known: Self.known)
        model = try fields.text("model")
        streams = try fields.flag("stream") ?? false
        if let value = fields["stream_options"] {
            let inner = try RequestFields(
                value, path: "stream_options", known: ["include_usage", "include_obfuscation"])
            streamsUsage = try inner.flag("include_usage") ?? false
        } else {
            streamsUsage = false
        }
        try Self.refuseWhatWouldNotHappen(fields)
        let olderMaxTokens = try fields.integer("max_tokens", in: GenerationChoice.maxTokens)
        maxTokens = try fields.integer("max_completion_tokens", in: GenerationChoice.maxTokens) ?? olderMaxTokens
        let temperature = try fields.number("temperature", in: 0...2)
        let topP = try fields.number("top_p", in: 0...1)
        let isSampled = (temperature ?? 0) > 0
        options = try GenerationChoice(
            temperature: isSampled ? temperature : nil,
            // Without a temperature the likeliest token is taken, whatever share top_p leaves.
            topP: isSampled ? topP : nil, seed: fields.integer("seed", in: 0...Int.max),
            results: fields.integer("n", in: 1...16) ?? 1
        ).options(streams: streams)

        guard let messages = try fields.list("messages", maximum: 256), !messages.isEmpty else {
            throw .missing("messages")
        }
        var picture: (source: ImageSource, parameter: String)?
        var beginning: String?
        for (index, message) in messages.enumerated() {
            let inner = try RequestFields(message, path: "messages[\(index)]", known: ["role", "content", "name"])
            let role = try inner.choice(
                "role", ["user": "user", "system": "system", "developer": "developer", "assistant": "assistant"])
            guard let role else { throw .missing(inner.name("role")) }
            guard let content = inner["content"] else { throw .missing(inner.name("content")) }
            if let text = content.string {
                beginning = role == "assistant" && index == messages.count - 1 ? text : nil
                continue
            }
            guard let parts = try inner.list("content", maximum: 64) else { continue }
            for (position, part) in parts.enumerated() {
                let path = "\(inner.name("content"))[\(position)]"
                guard case .image(let source, let parameter) = try ContentPart(part, path: path) else { continue }
                guard picture == nil else {
                    throw .invalid(parameter, "The messages have several pictures; send one.", code: "unsupported")
                }
                picture = (source, parameter)
            }
        }
        guard let picture else {
            throw .invalid(
                "messages", "The messages have no picture; this model captions the picture of an image_url part.")
        }
        image = picture.source
        imageParameter = picture.parameter
        let given = try fields.text("prompt") ?? beginning
        prompt = given.flatMap { $0.isEmpty ? nil : $0 }
    }

    private static func refuseWhatWouldNotHappen(_ fields: RequestFields) throws(RequestFailure) {
        for name in ["presence_penalty", "frequency_penalty"] {
            if let number = try fields.number(name, in: -2...2), number != 0 {
                throw .invalid(name, "\(name) is not supported.", code: "unsupported")
            }
        }
        if try fields.flag("logprobs") == true {
            throw .invalid("logprobs", "logprobs is not supported.", code: "unsupported")
        }
        if let stop = fields["stop"], stop.elements?.isEmpty != true {
            throw .invalid("stop", "stop is not supported; captions end by themselves.", code: "unsupported")
        }
        if let format = fields["response_format"], format["type"]?.string != "text" {
            throw .invalid("response_format", "Captions are plain text.", code: "unsupported")
        }
    }
}
