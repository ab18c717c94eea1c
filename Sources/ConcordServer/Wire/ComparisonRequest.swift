import ConcordCore

/// What `POST /similarity` and `POST /classify` ask for: pictures × texts.
struct ComparisonRequest: Sendable {
    var model: String?
    var images: [EmbeddingInput] = []
    var texts: [String] = []
    /// What each text is put into, at `{}`; nil for the texts as they are.
    var template: String?
    var truncates = true

    static let maximumImages = 256
    static let maximumTexts = 2048
    /// The most bytes that the texts may come to: put into the template, or named once for each picture in the answer.
    static let maximumGrownBytes = 64 << 20
    static let maximumTemplateBytes = 4 << 10
    private static let known: Set<String> = [
        "model", "image", "images", "text", "texts", "labels", "template", "truncate",
    ]

    init(_ body: JSONValue) throws(RequestFailure) {
        let fields = try RequestFields(body, known: Self.known)
        model = try fields.text("model")
        template = try fields.text("template")
        truncates = try fields.flag("truncate") ?? true
        if let text = try fields.text("image") { try add(image: text, "image") }
        for (index, text) in (try fields.texts("images", maximum: Self.maximumImages) ?? []).enumerated() {
            try add(image: text, "images[\(index)]")
        }
        if let text = try fields.text("text") { texts.append(text) }
        texts += try fields.texts("texts", maximum: Self.maximumTexts) ?? []
        texts += try fields.texts("labels", maximum: Self.maximumTexts) ?? []
        try check()
    }

    /// Files are pictures; parts called `text`, `texts` or `labels` are texts, and may be repeated.
    init(_ form: MultipartForm) throws(RequestFailure) {
        model = try form.text("model")
        template = try form.text("template")
        truncates = try FormValue.flag(form, "truncate") ?? true
        for part in form.parts {
            switch (part.name, part.isFile) {
            case ("image", true), ("images", true), ("file", true):
                let parameter = "\(part.name)[\(images.count)]"
                images.append(
                    EmbeddingInput(
                        content: .image(.bytes(try ImageText.checked(part.bytes, parameter: parameter))),
                        parameter: parameter))
            case ("image", false), ("images", false):
                try add(image: try MultipartForm.text(part), "\(part.name)[\(images.count)]")
            case ("text", false), ("texts", false), ("labels", false): texts.append(try MultipartForm.text(part))
            case ("model", false), ("template", false), ("truncate", false): continue
            default: throw .unknown(part.name, known: Self.known)
            }
        }
        try check()
    }

    private mutating func add(image text: String, _ parameter: String) throws(RequestFailure) {
        let source = try ImageText.source(text, parameter: parameter, allowsBare: true)
        images.append(EmbeddingInput(content: .image(source), parameter: parameter))
    }

    private mutating func check() throws(RequestFailure) {
        guard !images.isEmpty else { throw .missing("images") }
        guard images.count <= Self.maximumImages else {
            throw .invalid("images", "More than \(Self.maximumImages) pictures.", code: "too_many")
        }
        guard !texts.isEmpty else { throw .missing("texts") }
        guard texts.count <= Self.maximumTexts else {
            throw .invalid("texts", "More than \(Self.maximumTexts) texts.", code: "too_many")
        }
        if let empty = texts.firstIndex(where: \.isEmpty) {
            throw .invalid("texts[\(empty)]", "texts[\(empty)] is empty.")
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
    var textInputs: [EmbeddingInput] {
        texts.enumerated().map { index, text in
            let whole = template.map { $0.replacing("{}", with: text) } ?? text
            return EmbeddingInput(content: .text(whole), parameter: "texts[\(index)]")
        }
    }
}
