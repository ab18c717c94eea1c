import ConcordCore

/// What `POST /v1/embeddings` asks for, in whichever of the shapes that clients of OpenAI, infinity, Jina, Voyage and
/// Cohere send.
struct EmbeddingRequest: Sendable {
    enum Format: Sendable {
        case float, base64
    }

    var model: String?
    var inputs: [EmbeddingInput] = []
    /// How vectors are written; Cohere's clients may want both.
    var formats: [Format] = [.float]
    /// The first numbers of each vector, made a unit vector again; nil for all.
    var dimensions: Int?
    /// Whether texts that are too long lose their ends, which the answer tells, or are refused.
    var truncates = true
    /// Whether a failed item takes the place of its vector, instead of failing the request.
    var isPerItem = false

    struct Limits: Sendable {
        var inputs = 2048
        var tokensOfInput = 8192
        var tokens = 300_000
        var maximumDimensions = 65_536
    }

    private enum Modality {
        case text, image
    }

    init() {}

    /// A JSON body in OpenAI's, infinity's, Jina's, Voyage's or Cohere's shape.
    init(_ body: JSONValue, limits: Limits = Limits()) throws(RequestFailure) {
        let fields = try RequestFields(body, known: Self.known)
        model = try fields.text("model")
        isPerItem = try fields.choice("error_policy", ["strict": false, "per_item": true]) ?? false
        let outputDimension = try fields.integer("output_dimension", in: 1...limits.maximumDimensions)
        dimensions = try fields.integer("dimensions", in: 1...limits.maximumDimensions) ?? outputDimension
        formats = try Self.formats(fields)
        truncates = try Self.truncates(fields)
        try Self.refuseWhatWouldNotHappen(fields)
        let modality = try fields.choice("modality", ["text": Modality.text, "image": .image])
        inputs = try Self.inputs(fields, modality, limits)
        guard !inputs.isEmpty else { throw .missing("input") }
        guard inputs.count <= limits.inputs else {
            throw .invalid(
                "input", "The request has \(inputs.count) inputs; \(limits.inputs) are allowed.", code: "too_many")
        }
    }

    /// A form: files are pictures, other parts called `input`, `text` or `texts` are texts.
    init(_ form: MultipartForm, limits: Limits = Limits()) throws(RequestFailure) {
        model = try form.text("model")
        dimensions = try FormValue.integer(form, "dimensions", in: 1...limits.maximumDimensions)
        formats = [
            try FormValue.choice(form, "encoding_format", ["float": Format.float, "base64": .base64]) ?? .float
        ]
        isPerItem = try FormValue.choice(form, "error_policy", ["strict": false, "per_item": true]) ?? false
        truncates = try FormValue.flag(form, "truncate") ?? true
        for part in form.parts {
            let parameter = "\(part.name)[\(inputs.count)]"
            switch (part.name, part.isFile) {
            case ("file", _), ("image", _), ("images", _), ("input", true):
                inputs.append(
                    EmbeddingInput(
                        content: .image(.bytes(try ImageText.checked(part.bytes, parameter: parameter))),
                        parameter: parameter))
            case ("input", false), ("text", false), ("texts", false):
                let text = try MultipartForm.text(part)
                guard !text.isEmpty else { throw .invalid(parameter, "\(parameter) is empty.") }
                inputs.append(EmbeddingInput(content: .text(text), parameter: parameter))
            case ("model", false), ("dimensions", false), ("encoding_format", false), ("error_policy", false),
                ("truncate", false), ("user", false):
                continue
            default: throw .unknown(part.name, known: ["file", "image", "input", "text", "model", "dimensions"])
            }
        }
        guard !inputs.isEmpty else { throw .missing("file") }
        guard inputs.count <= limits.inputs else {
            throw .invalid(
                "file", "The form has \(inputs.count) inputs; \(limits.inputs) are allowed.", code: "too_many")
        }
    }

    static let known: Set<String> = [
        "model", "input", "encoding_format", "dimensions", "user",  // OpenAI
        "modality",  // infinity
        "normalized", "embedding_type", "task", "late_chunking", "truncate",  // Jina
        "input_type", "texts", "images", "inputs", "output_dimension", "embedding_types", "max_tokens",
        "priority",  // Cohere
        "truncation", "output_dtype",  // Voyage
        "error_policy",
    ]

    private static func formats(_ fields: RequestFields) throws(RequestFailure) -> [Format] {
        let choices: KeyValuePairs = ["float": Format.float, "base64": .base64]
        if let list = try fields.texts("embedding_types", maximum: 8) {
            var formats: [Format] = []
            for name in list {
                guard let format = choices.first(where: { $0.key == name })?.value else {
                    throw .invalid("embedding_types", "embedding_types may hold \"float\" and \"base64\".")
                }
                if !formats.contains(format) { formats.append(format) }
            }
            return formats.isEmpty ? [.float] : formats
        }
        // Voyage's field, which has one value.
        let type = try fields.choice("output_dtype", ["float": Format.float])
        let jinas = try fields.choice("embedding_type", choices)
        return [try fields.choice("encoding_format", choices) ?? jinas ?? type ?? .float]
    }

    private static func truncates(_ fields: RequestFields) throws(RequestFailure) -> Bool {
        if let flag = fields["truncate"]?.bool { return flag }
        if fields["truncate"] != nil {
            return try fields.choice("truncate", ["NONE": false, "END": true, "none": false, "end": true]) ?? true
        }
        return try fields.flag("truncation") ?? true
    }

    private static func refuseWhatWouldNotHappen(_ fields: RequestFields) throws(RequestFailure) {
        if try fields.flag("normalized") == false {
            throw .invalid("normalized", "Vectors are always of length 1.", code: "unsupported")
        }
        if try fields.flag("late_chunking") == true {
            throw .invalid("late_chunking", "late_chunking is not supported.", code: "unsupported")
        }
        if fields["max_tokens"] != nil {
            throw .invalid(
                "max_tokens", "max_tokens is not supported; the model's context is the limit.",
                code: "unsupported")
        }
    }

    private static func inputs(
        _ fields: RequestFields, _ modality: Modality?, _ limits: Limits
    ) throws(RequestFailure) -> [EmbeddingInput] {
        var inputs: [EmbeddingInput] = []
        if let input = fields["input"] { inputs += try openAI(input, modality, limits) }
        for (index, text) in (try fields.texts("texts", maximum: limits.inputs) ?? []).enumerated() {
            inputs.append(EmbeddingInput(content: .text(text), parameter: "texts[\(index)]"))
        }
        for (index, text) in (try fields.texts("images", maximum: limits.inputs) ?? []).enumerated() {
            inputs.append(try image(text, "images[\(index)]", allowsBare: true))
        }
        for (index, entry) in (try fields.list("inputs", maximum: limits.inputs) ?? []).enumerated() {
            inputs.append(try content(entry, "inputs[\(index)]"))
        }
        return inputs
    }

    /// `input`: a text, texts, token ids, lists of them, or Jina's objects.
    private static func openAI(
        _ input: JSONValue, _ modality: Modality?, _ limits: Limits
    ) throws(RequestFailure) -> [EmbeddingInput] {
        if case .string(let text) = input { return [try self.text(text, "input", modality)] }
        if input.members != nil { return [try object(input, "input")] }
        guard let elements = input.elements else {
            throw .invalid("input", "input must be a string, an array of strings, or an array of token ids.")
        }
        guard !elements.isEmpty else { throw .invalid("input", "input is empty.") }
        if elements[0].int != nil {
            return [EmbeddingInput(content: .tokens(try tokens(elements, "input", limits)), parameter: "input")]
        }
        guard elements.count <= limits.inputs else {
            throw .invalid(
                "input", "input has \(elements.count) entries; \(limits.inputs) are allowed.", code: "too_many")
        }
        var inputs: [EmbeddingInput] = []
        var tokenCount = 0
        for (index, element) in elements.enumerated() {
            let parameter = "input[\(index)]"
            switch element {
            case .string(let text): inputs.append(try self.text(text, parameter, modality))
            case .object: inputs.append(try object(element, parameter))
            case .array(let ids):
                tokenCount += ids.count
                guard tokenCount <= limits.tokens else {
                    throw .invalid("input", "input has more than \(limits.tokens) tokens.", code: "too_many")
                }
                inputs.append(
                    EmbeddingInput(content: .tokens(try tokens(ids, parameter, limits)), parameter: parameter))
            default: throw .invalid(parameter, "\(parameter) must be a string, an object or an array of token ids.")
            }
        }
        return inputs
    }

    private static func text(
        _ text: String, _ parameter: String, _ modality: Modality?
    ) throws(RequestFailure) -> EmbeddingInput {
        guard !text.isEmpty else { throw .invalid(parameter, "\(parameter) is an empty string.") }
        if modality == .image || (modality == nil && ImageText.isDataURI(text)) {
            return try image(text, parameter, allowsBare: modality == .image)
        }
        return EmbeddingInput(content: .text(text), parameter: parameter)
    }

    private static func image(
        _ text: String, _ parameter: String, allowsBare: Bool
    ) throws(RequestFailure) -> EmbeddingInput {
        let source = try ImageText.source(text, parameter: parameter, allowsBare: allowsBare)
        return EmbeddingInput(content: .image(source), parameter: parameter)
    }

    private static func tokens(
        _ elements: [JSONValue], _ parameter: String, _ limits: Limits
    ) throws(RequestFailure) -> [Int32] {
        guard !elements.isEmpty else { throw .invalid(parameter, "\(parameter) is empty.") }
        guard elements.count <= limits.tokensOfInput else {
            throw .invalid(
                parameter, "\(parameter) has \(elements.count) tokens; \(limits.tokensOfInput) are allowed.",
                code: "too_many")
        }
        var ids: [Int32] = []
        ids.reserveCapacity(elements.count)
        for element in elements {
            guard let number = element.int, let id = Int32(exactly: number), id >= 0 else {
                throw .invalid(parameter, "\(parameter) must hold token ids, whole numbers from 0.")
            }
            ids.append(id)
        }
        return ids
    }

    /// Jina's `{"text": …}` or `{"image": …}`, or an object with `content`.
    private static func object(_ value: JSONValue, _ parameter: String) throws(RequestFailure) -> EmbeddingInput {
        if value["content"] != nil { return try content(value, parameter) }
        let fields = try RequestFields(value, path: parameter, known: ["text", "image"])
        switch (try fields.text("text"), try fields.text("image")) {
        case (let text?, nil): return try self.text(text, fields.name("text"), .text)
        case (nil, let text?): return try image(text, fields.name("image"), allowsBare: true)
        default: throw .invalid(parameter, "\(parameter) must have either \"text\" or \"image\".")
        }
    }

    /// Cohere's and Voyage's `{"content": [{"type": …}]}` with one part.
    private static func content(_ value: JSONValue, _ parameter: String) throws(RequestFailure) -> EmbeddingInput {
        let fields = try RequestFields(value, path: parameter, known: ["content"])
        guard let parts = try fields.list("content", maximum: 16), let first = parts.first else {
            throw .missing(fields.name("content"))
        }
        guard parts.count == 1 else {
            throw .invalid(
                fields.name("content"), "\(fields.name("content")) must have one part: a text or a picture.",
                code: "unsupported")
        }
        let part = try ContentPart(first, path: "\(fields.name("content"))[0]")
        switch part {
        case .text(let text, let name): return try self.text(text, name, .text)
        case .image(let source, let name): return EmbeddingInput(content: .image(source), parameter: name)
        }
    }
}
