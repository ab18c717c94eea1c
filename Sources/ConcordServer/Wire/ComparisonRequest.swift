import ConcordCore

/// The request of `POST /similarity` and `POST /classify`: images × texts.
struct ComparisonRequest: JSONContent, FormContent {
    struct Fields: FieldGroup {
        static let definition = FieldDefinition(Fields())

        let model = Field<TextKind>.model
        let images = Field("images", .list(of: ImageKind(), upTo: ComparisonRequest.maximumImages), "Pictures.")
        let image = Field("image", .image)
        let texts = Field("texts", .list(of: FilledTextKind(), upTo: ComparisonRequest.maximumTexts), "Texts.")
        let text = Field("text", .text, "One text.")
        let labels = Field("labels", .list(of: FilledTextKind(), upTo: ComparisonRequest.maximumTexts), "As texts.")
        let template = Field<TextKind>.template
        let truncate = Field<FlagKind>.truncate
    }

    /// Files are images; other parts called `image` or `images` are images as in JSON.
    struct Form: FieldGroup {
        static let definition = FieldDefinition(Form())

        let model = Field<TextKind>.model
        let image = Field("image", .list(of: ImageKind(), upTo: ComparisonRequest.maximumImages), "Pictures.")
        let images = Field("images", .list(of: ImageKind(), upTo: ComparisonRequest.maximumImages), "As image.")
        let file = Field("file", .list(of: ImageKind(), upTo: ComparisonRequest.maximumImages), "As image.")
        let text = Field("text", .list(of: FilledTextKind(), upTo: ComparisonRequest.maximumTexts), "Texts.")
        let texts = Field("texts", .list(of: FilledTextKind(), upTo: ComparisonRequest.maximumTexts), "As text.")
        let labels = Field("labels", .list(of: FilledTextKind(), upTo: ComparisonRequest.maximumTexts), "As text.")
        let template = Field<TextKind>.template
        let truncate = Field<FlagKind>.truncate
    }

    let model: String?
    private(set) var images: [RequestInput] = []
    private(set) var texts: [String] = []
    /// The template that each text is put into, at `{}`; `nil` for the texts as they are.
    let template: String?
    let truncates: Bool

    static let maximumImages = 256
    static let maximumTexts = 2048
    /// The most bytes that the texts may come to: put into the template, or named once for each image in the answer.
    static let maximumGrownBytes = 64 << 20
    static let maximumTemplateBytes = 4 << 10

    init(_ fields: RequestFields<Fields>) throws(ServingError) {
        model = try fields.value(\.model)
        template = try fields.value(\.template)
        truncates = try fields.value(\.truncate) ?? true
        if let source = try fields.value(\.image) {
            images.append(RequestInput(content: .image(source), parameter: "image"))
        }
        if let list = try fields.value(\.images) {
            for index in 0..<list.count {
                images.append(RequestInput(content: .image(try list.value(index)), parameter: list.name(index)))
            }
        }
        if let text = try fields.value(\.text) { texts.append(text) }
        texts += try fields.value(\.texts)?.values() ?? []
        texts += try fields.value(\.labels)?.values() ?? []
        try check()
    }

    init(form: RequestFields<Form>) throws(ServingError) {
        model = try form.value(\.model)
        template = try form.value(\.template)
        truncates = try form.value(\.truncate) ?? true
        for part in form.parts(\.image, \.images, \.file) {
            let parameter = "\(part.name)[\(images.count)]"
            let source = try ImageText.source(part, parameter: parameter)
            images.append(RequestInput(content: .image(source), parameter: parameter))
        }
        for part in form.parts(\.text, \.texts, \.labels) {
            texts.append(try FilledTextKind().value(of: [part], "\(part.name)[\(texts.count)]"))
        }
        try check()
    }

    private func check() throws(ServingError) {
        guard !images.isEmpty else { throw .missing("images") }
        guard images.count <= Self.maximumImages else {
            throw .invalid("images", "More than \(Self.maximumImages) pictures.", code: "too_many")
        }
        guard !texts.isEmpty else { throw .missing("texts") }
        guard texts.count <= Self.maximumTexts else {
            throw .invalid("texts", "More than \(Self.maximumTexts) texts.", code: "too_many")
        }
        for (index, text) in texts.enumerated() {
            guard !text.isEmpty else { throw .invalid("texts[\(index)]", "texts[\(index)] is empty.") }
            try ImageText.refuseDataURI(in: text, parameter: "texts[\(index)]")
        }
        let bytes = texts.reduce(0) { $0 + $1.utf8.count }
        var grownBytes = bytes * images.count
        if let template {
            guard template.utf8.count <= Self.maximumTemplateBytes else {
                throw .tooLarge("The template may have \(Self.maximumTemplateBytes) bytes.", parameter: "template")
            }
            let places = template.ranges(of: "{}").count
            guard places > 0 else {
                throw .invalid("template", "template must contain {}, where the text goes.")
            }
            grownBytes = max(grownBytes, (template.utf8.count - 2 * places) * texts.count + places * bytes)
        }
        // A few bytes must not become many: a body's length bounds all factors, so that no product overflows.
        guard grownBytes <= Self.maximumGrownBytes else {
            throw .tooLarge(
                "The texts come to \(grownBytes) bytes, in the template or once for each picture; "
                    + "\(Self.maximumGrownBytes) are allowed.", parameter: "texts")
        }
    }

    /// The texts to embed.
    var textInputs: [RequestInput] {
        texts.enumerated().map { index, text in
            let whole = template.map { $0.replacing("{}", with: text) } ?? text
            return RequestInput(content: .text(whole), parameter: "texts[\(index)]")
        }
    }
}

extension Field where Kind == TextKind {
    fileprivate static let template = Field("template", .text, "What each text is put into, at {}.")
}

extension Field where Kind == FlagKind {
    fileprivate static let truncate = Field(
        "truncate", .flag, "Whether texts that are too long lose their ends, or are refused.")
}

/// The answers to comparisons of images and texts, from their unit vectors.
struct ComparisonResponse: Sendable {
    let model: ServedModel
    let images: [[Float]]
    let texts: [[Float]]
    /// The texts as the client sent them.
    let names: [String]
    let usage: JSONValue

    /// About the multiplications that the answer takes.
    var work: Int { images.count * texts.count * (images.first?.count ?? 0) }

    /// Cosines and logits `[images, texts]`.
    func similarity() -> [UInt8] {
        let cosines = images.map { image in
            texts.map { text in zip(image, text).reduce(into: Float(0)) { $0 += $1.0 * $1.1 } }
        }
        var output = JSONBytes(capacity: images.count * texts.count * 24)
        output.raw(#"{"model":"#)
        output.value(.string(model.name))
        output.raw(#","similarities":"#)
        output.list(cosines) { $0.vector($1) }
        output.raw(#","logits":"#)
        output.list(model.logits(images: images, texts: texts)) { $0.vector($1) }
        return finished(&output)
    }

    /// The labels of each image, the most probable first.
    func classification() -> [UInt8] {
        var output = JSONBytes(capacity: images.count * texts.count * 48)
        output.raw(#"{"model":"#)
        output.value(.string(model.name))
        output.raw(#","results":"#)
        output.list(model.logits(images: images, texts: texts)) { output, logits in
            let probabilities = Self.softmax(logits)
            let order = probabilities.indices.sorted { (-probabilities[$0], $0) < (-probabilities[$1], $1) }
            output.value([
                "label": .string(names[order[0]]),
                "scores": .array(
                    order.map { ["label": .string(names[$0]), "probability": .number(probabilities[$0])] }),
            ])
        }
        return finished(&output)
    }

    private func finished(_ output: inout JSONBytes) -> [UInt8] {
        output.raw(#","usage":"#)
        output.value(usage)
        output.raw("}")
        return output.bytes
    }

    private static func softmax(_ logits: [Float]) -> [Double] {
        let maximum = logits.max() ?? 0
        let weights = logits.map { exp(Double($0 - maximum)) }
        let sum = weights.reduce(0, +)
        return weights.map { $0 / sum }
    }
}
