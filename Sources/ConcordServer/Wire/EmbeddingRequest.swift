import ConcordCore

/// The request of `POST /v1/embeddings`, in any of the shapes that clients of OpenAI, infinity, Jina, Voyage and
/// Cohere send.
struct EmbeddingRequest: JSONContent, FormContent {
    enum Format: Sendable {
        case float, base64
    }

    enum Modality: Sendable {
        case text, image
    }

    static let formatNames: KeyValuePairs = ["float": Format.float, "base64": .base64]

    let model: String?
    let inputs: [RequestInput]
    /// The formats of the vectors; Cohere's clients may want both.
    let formats: [Format]
    /// The first numbers of each vector, made a unit vector again; `nil` for all.
    let dimensions: Int?
    /// Truncates texts that are too long, which the response says; otherwise they are refused.
    let truncates: Bool
    /// Puts an error in the place of a failed item's vector, instead of failing the request.
    let isPerItem: Bool

    enum Limits {
        static let inputs = 2048
        static let tokensOfInput = 8192
        static let tokens = 300_000
    }

    /// A JSON body in OpenAI's, infinity's, Jina's, Voyage's or Cohere's shape.
    init(_ fields: RequestFields<EmbeddingFields>) throws(ServingError) {
        model = try fields.value(\.model)
        isPerItem = try fields.value(\.errorPolicy) ?? false
        let outputDimension = try fields.value(\.outputDimension)
        dimensions = try fields.value(\.dimensions) ?? outputDimension
        formats = try Self.formats(fields)
        let truncation = try fields.value(\.truncation)
        truncates = try fields.value(\.truncate) ?? truncation ?? true
        var reader = InputReader(isPerItem: isPerItem, modality: try fields.value(\.modality))
        try reader.read(fields)
        inputs = try reader.inputs(of: "input")
    }

    /// A form: files are images, other parts called `input`, `text` or `texts` are texts.
    init(form: RequestFields<EmbeddingForm>) throws(ServingError) {
        model = try form.value(\.model)
        dimensions = try form.value(\.dimensions)
        formats = [try form.value(\.encodingFormat) ?? .float]
        isPerItem = try form.value(\.errorPolicy) ?? false
        truncates = try form.value(\.truncate) ?? true
        var reader = InputReader(isPerItem: isPerItem, modality: nil)
        try reader.read(form.parts(\.file, \.image, \.images, \.input, \.text, \.texts))
        inputs = try reader.inputs(of: "file")
    }

    private static func formats(_ fields: RequestFields<EmbeddingFields>) throws(ServingError) -> [Format] {
        if let list = try fields.value(\.embeddingTypes), !list.isEmpty {
            var formats: [Format] = []
            for format in try list.values() where !formats.contains(format) { formats.append(format) }
            return formats
        }
        // Voyage's field, which has one value.
        let type = try fields.value(\.outputDtype)
        let jinas = try fields.value(\.embeddingType)
        return [try fields.value(\.encodingFormat) ?? jinas ?? type ?? .float]
    }
}

/// Collects the inputs of an embedding request, in the order in which its answer has them.
private struct InputReader {
    let isPerItem: Bool
    private let parser: InputParser
    private var inputs: [RequestInput] = []

    init(isPerItem: Bool, modality: EmbeddingRequest.Modality?) {
        self.isPerItem = isPerItem
        parser = InputParser(modality: modality)
    }

    /// All inputs. Throws an error where there are none, or too many.
    ///
    /// - Parameter parameter: the field that errors name.
    func inputs(of parameter: String) throws(ServingError) -> [RequestInput] {
        guard !inputs.isEmpty else { throw .missing(parameter) }
        guard inputs.count <= EmbeddingRequest.Limits.inputs else {
            throw .invalid(
                parameter, "The request has \(inputs.count) inputs; \(EmbeddingRequest.Limits.inputs) are allowed.",
                code: "too_many")
        }
        return inputs
    }

    mutating func read(_ fields: RequestFields<EmbeddingFields>) throws(ServingError) {
        if let input = try fields.value(\.input) { try read(input) }
        if let texts = try fields.value(\.texts) {
            for index in 0..<texts.count {
                try add(texts.name(index)) { [parser] parameter throws(ServingError) in
                    try parser.text(try texts.value(index), parameter)
                }
            }
        }
        if let images = try fields.value(\.images) {
            for index in 0..<images.count {
                try add(images.name(index)) { parameter throws(ServingError) in
                    RequestInput(content: .image(try images.value(index)), parameter: parameter)
                }
            }
        }
        if let entries = try fields.value(\.inputs) {
            for index in 0..<entries.count {
                try add(entries.name(index)) { [parser] parameter throws(ServingError) in
                    let entry = try entries.value(index)
                    return try parser.content(try entry.value(\.content), entry.name(\.content))
                }
            }
        }
    }

    /// `input`: a text, texts, token ids, lists of them, or Jina's objects.
    private mutating func read(_ input: JSONValue) throws(ServingError) {
        guard let elements = input.elements else {
            switch input {
            case .string, .object:
                return try add("input") { [parser] parameter throws(ServingError) in
                    try parser.entry(input, parameter)
                }
            default:
                throw .invalid("input", "input must be a string, an array of strings, or an array of token ids.")
            }
        }
        guard !elements.isEmpty else { throw .invalid("input", "input is empty.") }
        if elements[0].int != nil {
            return try add("input") { [parser] parameter throws(ServingError) in
                try parser.tokens(elements, parameter)
            }
        }
        guard elements.count <= EmbeddingRequest.Limits.inputs else {
            throw .invalid(
                "input", "input has \(elements.count) entries; \(EmbeddingRequest.Limits.inputs) are allowed.",
                code: "too_many")
        }
        let tokenCount = elements.reduce(0) { $0 + ($1.elements?.count ?? 0) }
        guard tokenCount <= EmbeddingRequest.Limits.tokens else {
            throw .invalid("input", "input has more than \(EmbeddingRequest.Limits.tokens) tokens.", code: "too_many")
        }
        inputs.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() {
            try add("input[\(index)]") { [parser] parameter throws(ServingError) in
                try parser.entry(element, parameter)
            }
        }
    }

    /// The parts of a form.
    mutating func read(_ parts: [MultipartForm.Part]) throws(ServingError) {
        for part in parts {
            try add("\(part.name)[\(inputs.count)]") { [parser] parameter throws(ServingError) in
                try parser.part(part, parameter)
            }
        }
    }

    /// Adds what `make` reads; where that fails, the failure in its place or, in a strict request, throws it.
    private mutating func add(
        _ parameter: String, _ make: (_ parameter: String) throws(ServingError) -> RequestInput
    ) throws(ServingError) {
        do throws(ServingError) { inputs.append(try make(parameter)) } catch {
            guard isPerItem else { throw error }
            inputs.append(RequestInput(content: .refused(error), parameter: parameter))
        }
    }
}

/// Reads one input of an embedding request.
private struct InputParser: Sendable {
    let modality: EmbeddingRequest.Modality?

    func entry(_ value: JSONValue, _ parameter: String) throws(ServingError) -> RequestInput {
        switch value {
        case .string(let text):
            switch modality {
            case nil: return try undeclared(text, parameter)
            case .image:
                let source = try ImageKind().value(of: value, parameter)
                return RequestInput(content: .image(source), parameter: parameter)
            // What the client calls a text is one, whatever it looks like.
            case .text: return try plain(text, parameter)
            }
        case .object: return try object(try RequestFields(value, path: parameter), parameter)
        case .array(let ids): return try tokens(ids, parameter)
        default: throw .invalid(parameter, "\(parameter) must be a string, an object or an array of token ids.")
        }
    }

    /// A string that may be a text or an image.
    func undeclared(_ text: String, _ parameter: String) throws(ServingError) -> RequestInput {
        guard ImageText.isDataURI(text) else {
            var input = try plain(text, parameter)
            input.isUndeclared = true
            return input
        }
        let source = try ImageText.source(text, parameter: parameter, allowsBare: false)
        return RequestInput(content: .image(source), parameter: parameter)
    }

    /// A string in a field of texts.
    func text(_ text: String, _ parameter: String) throws(ServingError) -> RequestInput {
        try ImageText.refuseDataURI(in: text, parameter: parameter)
        return try plain(text, parameter)
    }

    func plain(_ text: String, _ parameter: String) throws(ServingError) -> RequestInput {
        guard !text.isEmpty else { throw .invalid(parameter, "\(parameter) is an empty string.") }
        return RequestInput(content: .text(text), parameter: parameter)
    }

    /// A part of a form.
    func part(_ part: MultipartForm.Part, _ parameter: String) throws(ServingError) -> RequestInput {
        switch part.name {
        case "text", "texts": return try text(FilledTextKind().value(of: [part], parameter), parameter)
        case "input" where !part.isFile: return try undeclared(MultipartForm.text(part), parameter)
        default:
            let source = try ImageText.source(part, parameter: parameter)
            return RequestInput(content: .image(source), parameter: parameter)
        }
    }

    func tokens(_ elements: [JSONValue], _ parameter: String) throws(ServingError) -> RequestInput {
        guard !elements.isEmpty else { throw .invalid(parameter, "\(parameter) is empty.") }
        guard elements.count <= EmbeddingRequest.Limits.tokensOfInput else {
            throw .invalid(
                parameter,
                "\(parameter) has \(elements.count) tokens; \(EmbeddingRequest.Limits.tokensOfInput) are allowed.",
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
        return RequestInput(content: .tokens(ids), parameter: parameter)
    }

    func object(
        _ fields: RequestFields<EmbeddingInputKind.ObjectFields>, _ parameter: String
    ) throws(ServingError) -> RequestInput {
        let parts = try fields.value(\.content)
        switch (try fields.value(\.text), try fields.value(\.image), parts) {
        case (let text?, nil, nil): return try self.text(text, fields.name(\.text))
        case (nil, let source?, nil): return RequestInput(content: .image(source), parameter: fields.name(\.image))
        case (nil, nil, let parts?): return try content(parts, fields.name(\.content))
        default: throw .invalid(parameter, "\(parameter) must have one of \"text\", \"image\" and \"content\".")
        }
    }

    func content(
        _ parts: FieldList<ObjectKind<ContentPart.Fields>>, _ parameter: String
    ) throws(ServingError) -> RequestInput {
        guard !parts.isEmpty else { throw .missing(parameter) }
        guard parts.count == 1 else {
            throw .invalid(
                parameter, "\(parameter) must have one part: a text or a picture.", code: "unsupported")
        }
        switch try ContentPart(try parts.value(0)) {
        case .text(let text, let name): return try self.text(text, name)
        case .image(let source, let name): return RequestInput(content: .image(source), parameter: name)
        case .refusal: throw .invalid(parts.name(0), "\(parts.name(0)) must be a text or a picture.")
        }
    }
}

/// One thing to embed, and the field that it came in.
struct RequestInput: Sendable {
    enum Content: Sendable {
        case text(String)
        case tokens([Int32])
        case image(ImageSource)
        /// An input that cannot be embedded, in a request whose other inputs are.
        indirect case refused(ServingError)
    }

    let content: Content
    let parameter: String
    /// True if the text came in a field that also takes images, and the client did not say which it is.
    var isUndeclared = false

    var isImage: Bool { if case .image = content { true } else { false } }
}
