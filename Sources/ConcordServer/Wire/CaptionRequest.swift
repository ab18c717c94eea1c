import ConcordCore
import ConcordText

/// What `POST /generate_caption` asks for.
struct CaptionRequest: Sendable {
    var model: String?
    var image = ImageSource.bytes([])
    var prompt: String?
    var options = GenerationOptions()
    /// Nil for what the model has room for.
    var maxTokens: Int?
    var streams = false

    static let known: Set<String> = [
        "image", "model", "prompt", "strategy", "beams", "max_tokens", "temperature", "top_p", "top_k", "seed",
        "stream",
    ]

    init() {}

    init(_ body: JSONValue) throws(RequestFailure) {
        let fields = try RequestFields(body, known: Self.known)
        model = try fields.text("model")
        image = try ImageText.source(try fields.requiredText("image"), parameter: "image", allowsBare: true)
        prompt = try fields.text("prompt")
        streams = try fields.flag("stream") ?? false
        maxTokens = try fields.integer("max_tokens", in: GenerationChoice.maxTokens)
        options = try GenerationChoice(
            strategy: try fields.choice("strategy", GenerationChoice.strategies),
            beams: try fields.integer("beams", in: GenerationChoice.beams),
            temperature: try fields.number("temperature", in: 0...100), topP: try fields.number("top_p", in: 0...1),
            topK: try fields.integer("top_k", in: 1...1_000_000), seed: try fields.integer("seed", in: 0...Int.max)
        ).options(streams: streams)
    }

    init(_ form: MultipartForm) throws(RequestFailure) {
        for part in form.parts where !Self.known.contains(part.name) { throw .unknown(part.name, known: Self.known) }
        let images = form.parts.filter { $0.name == "image" }
        guard let first = images.first else { throw .missing("image") }
        guard images.count == 1 else { throw .invalid("image", "The form has \(images.count) pictures; send one.") }
        // A form's text part may hold base64; a file is the picture itself.
        if !first.isFile, let text = String(validating: first.bytes, as: UTF8.self) {
            image = try ImageText.source(text, parameter: "image", allowsBare: true)
        } else {
            image = .bytes(try ImageText.checked(first.bytes, parameter: "image"))
        }
        try read { name throws(RequestFailure) in try form.text(name) }
    }

    /// The picture as the whole body; the rest in the query.
    init(image: [UInt8], query: [String: String]) throws(RequestFailure) {
        for name in query.keys where !Self.known.contains(name) { throw .unknown(name, known: Self.known) }
        guard !image.isEmpty else { throw .missing("image") }
        self.image = .bytes(try ImageText.checked(image, parameter: "image"))
        try read { name throws(RequestFailure) in query[name] }
    }

    private mutating func read(_ text: (String) throws(RequestFailure) -> String?) throws(RequestFailure) {
        func integer(_ name: String, in range: ClosedRange<Int>) throws(RequestFailure) -> Int? {
            guard let value = try text(name), !value.isEmpty else { return nil }
            return try FormValue.integer(value, name, in: range)
        }
        func number(_ name: String, in range: ClosedRange<Double>) throws(RequestFailure) -> Double? {
            guard let value = try text(name), !value.isEmpty else { return nil }
            guard let number = Double(value), range.contains(number) else {
                throw .invalid(name, "\(name) must be a number in \(range.lowerBound)…\(range.upperBound).")
            }
            return number
        }
        model = try text("model")
        prompt = try text("prompt").flatMap { $0.isEmpty ? nil : $0 }
        if let value = try text("stream") { streams = try FormValue.flag(value, "stream") }
        var strategy: GenerationChoice.Strategy?
        if let value = try text("strategy"), !value.isEmpty {
            guard let found = GenerationChoice.strategies.first(where: { $0.key == value }) else {
                throw .invalid("strategy", "strategy must be \"greedy\", \"beam\" or \"sample\".")
            }
            strategy = found.value
        }
        maxTokens = try integer("max_tokens", in: GenerationChoice.maxTokens)
        options = try GenerationChoice(
            strategy: strategy, beams: integer("beams", in: GenerationChoice.beams),
            temperature: number("temperature", in: 0...100), topP: number("top_p", in: 0...1),
            topK: integer("top_k", in: 1...1_000_000), seed: integer("seed", in: 0...Int.max)
        ).options(streams: streams)
    }
}
