import ConcordCore
import ConcordText

/// The request of `POST /generate_caption`.
struct CaptionRequest: JSONContent, FormContent {
    struct Fields: FieldGroup {
        static let definition = FieldDefinition(Fields())

        let image = RequiredField("image", .image)
        let model = Field<TextKind>.model
        let prompt = Field("prompt", .text, "What the caption begins with; it is part of it.")
        let strategy = Field(
            "strategy", .choice(["greedy": GenerationSettings.Strategy.greedy, "beam": .beam, "sample": .sample]),
            "The likeliest token each time, the likeliest caption of a search with beams, or draws.")
        let beams = Field("beams", .integer(in: 1...16), "Captions that the search keeps at a time.")
        let maxTokens = Field<IntegerKind>.maxTokens
        let temperature = Field("temperature", .number(in: 0...100), "For draws.")
        let topP = Field("top_p", .number(in: 0...1), "For draws: the share of the likeliest tokens that may come.")
        let topK = Field("top_k", .integer(in: 1...1_000_000), "For draws: how many of the likeliest tokens may come.")
        let seed = Field<IntegerKind>.seed
        let stop = Field<StopKind>.stop
        let stream = Field("stream", .flag, "Whether the caption comes as server-sent events, word by word.")
    }

    typealias Form = Fields

    let model: String?
    let image: ImageSource
    let prompt: String?
    let options: GenerationOptions
    /// `nil` for what the model has room for.
    let maxTokens: Int?
    let stops: [String]
    var streams: Bool

    init(_ fields: RequestFields<Fields>) throws(ServingError) {
        try self.init(fields, image: try fields.value(\.image))
    }

    init(form: RequestFields<Fields>) throws(ServingError) { try self.init(form) }

    private init(_ fields: RequestFields<Fields>, image: ImageSource) throws(ServingError) {
        self.image = image
        model = try fields.value(\.model)
        prompt = try fields.value(\.prompt).flatMap { $0.isEmpty ? nil : $0 }
        streams = try fields.value(\.stream) ?? false
        maxTokens = try fields.value(\.maxTokens)
        stops = try fields.value(\.stop) ?? []
        var settings = GenerationSettings()
        settings.strategy = try fields.value(\.strategy)
        settings.beams = try fields.value(\.beams)
        settings.temperature = try fields.value(\.temperature)
        settings.topP = try fields.value(\.topP)
        settings.topK = try fields.value(\.topK)
        settings.seed = try fields.value(\.seed).map(UInt64.init)
        options = try settings.options(streams: streams)
    }

    /// A form, a JSON object, or the image as the whole body, with the rest in the query.
    static let reader = BodyReader<CaptionRequest>(
        types: [
            ("multipart/form-data", Fields.definition.formSchema), ("application/json", Fields.definition.schema),
            ("image/*", ["type": "string", "format": "binary"]),
        ], query: Fields.definition.fields.filter { !fromBody.contains($0.name) }
    ) { body throws(ServingError) in
        if let boundary = body.boundary { return try CaptionRequest(RequestFields(body.form(boundary))) }
        // No image begins with a brace; what the client calls the body does not matter.
        let first = body.bytes.first { $0 != 0x20 && $0 != 0x09 && $0 != 0x0A && $0 != 0x0D }
        if first == UInt8(ascii: "{") { return try CaptionRequest(RequestFields(body.json())) }
        let fields = try RequestFields<Fields>(query: body.query, except: fromBody)
        guard !body.bytes.isEmpty else { throw .missing("image") }
        return try CaptionRequest(fields, image: .bytes(try ImageText.checked(body.bytes, parameter: "image")))
    }

    private static let fromBody: Set<String> = ["image"]
}

extension GenerationSettings {
    /// The options: greedy where nothing is said. The length is for the model to find.
    ///
    /// - Parameter streams: whether the tokens are sent as they are found.
    func options(streams: Bool) throws(ServingError) -> GenerationOptions {
        let options: GenerationOptions
        do throws(GenerationOptions.Problem) { options = try self.options(default: .greedy) } catch {
            let name = error.setting == .resultCount ? "n" : error.setting.rawValue
            throw .invalid(name, "\(name) \(error.text).")
        }
        guard streams else { return options }
        if case .beam = options.strategy {
            throw .invalid("stream", "A search with beams knows its caption only at the end; it cannot be streamed.")
        }
        if options.resultCount > 1 { throw .invalid("n", "Only one caption can be streamed.") }
        return options
    }
}

/// Texts at which a caption ends: one, or up to four.
struct StopKind: FieldKind {
    private static let several = ListKind(element: FilledTextKind(), maximum: 4)

    var schema: JSONValue { ["oneOf": [FilledTextKind().schema, Self.several.schema]] }
    var formSchema: JSONValue { Self.several.formSchema }

    func value(of json: JSONValue, _ name: String) throws(ServingError) -> [String] {
        if json.string != nil { return [try FilledTextKind().value(of: json, name)] }
        return try Self.several.value(of: json, name).values()
    }

    func value(of parts: [MultipartForm.Part], _ name: String) throws(ServingError) -> [String] {
        try Self.several.value(of: parts, name).values()
    }
}

extension Field where Kind == StopKind {
    static let stop = Field("stop", StopKind(), "Texts at which the caption ends; they are not part of it.")
}

extension Field where Kind == IntegerKind {
    static let maxTokens = Field(
        "max_tokens", .integer(from: 1),
        "The most tokens of the caption; more than the model has room for are cut to that, which the answer says.")
    static let seed = Field("seed", .integer(from: 0), "The same seed draws the same caption.")
}
