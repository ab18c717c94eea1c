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
        guard let empty = texts.firstIndex(where: \.isEmpty) else {
            if let template, !template.contains("{}") {
                throw .invalid("template", "template must contain {}, where the text goes.")
            }
            return
        }
        throw .invalid("texts[\(empty)]", "texts[\(empty)] is empty.")
    }

    /// The texts to embed.
    var textInputs: [EmbeddingInput] {
        texts.enumerated().map { index, text in
            let whole = template.map { $0.replacing("{}", with: text) } ?? text
            return EmbeddingInput(content: .text(whole), parameter: "texts[\(index)]")
        }
    }
}
