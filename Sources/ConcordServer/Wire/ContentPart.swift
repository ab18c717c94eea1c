import ConcordCore

/// A part of a message or of an input that has several: OpenAI's `text` and `image_url`, Voyage's `image_base64`.
enum ContentPart: Sendable {
    case text(String, parameter: String)
    case image(ImageSource, parameter: String)
    /// A refusal of the assistant, in a message that is sent back.
    case refusal

    struct Fields: FieldGroup {
        static let definition = FieldDefinition(Fields())

        let type = RequiredField(
            "type",
            .choice([
                "text": PartType.text, "input_text": .text, "output_text": .text, "image_url": .address,
                "input_image": .address, "image_base64": .base64, "refusal": .refusal,
            ]))
        let text = Field("text", .text)
        let imageURL = Field("image_url", ImageAddressKind(), "A picture, or an object with it.")
        let imageBase64 = Field("image_base64", .image)
        let detail = Field("detail", .unused(["type": "string"]), "Accepted and not used.")
        let annotations = Field("annotations", .unused(["type": "array"]), "Accepted and not used.")
        let refusal = Field("refusal", .text)
    }

    enum PartType: Sendable {
        case text, address, base64, refusal
    }

    init(_ fields: RequestFields<Fields>) throws(ServingError) {
        switch try fields.value(\.type) {
        case .text:
            guard let text = try fields.value(\.text) else { throw .missing(fields.name(\.text)) }
            self = .text(text, parameter: fields.name(\.text))
        case .address:
            guard let (source, parameter) = try fields.value(\.imageURL) else {
                throw .missing(fields.name(\.imageURL))
            }
            self = .image(source, parameter: parameter)
        case .base64:
            guard let source = try fields.value(\.imageBase64) else { throw .missing(fields.name(\.imageBase64)) }
            self = .image(source, parameter: fields.name(\.imageBase64))
        case .refusal: self = .refusal
        }
    }
}

/// An image's address as OpenAI has it in an object, or as itself.
struct ImageAddressKind: FieldKind {
    struct Fields: FieldGroup {
        static let definition = FieldDefinition(Fields())

        let url = RequiredField("url", ImageKind(allowsBare: false))
        let detail = Field("detail", .unused(["type": "string"]), "Accepted and not used.")
    }

    var schema: JSONValue { ["oneOf": [ImageKind(allowsBare: false).schema, Fields.definition.schema]] }

    func value(
        of json: JSONValue, _ name: String
    ) throws(ServingError) -> (source: ImageSource, parameter: String) {
        if json.string != nil { return (try ImageKind(allowsBare: false).value(of: json, name), name) }
        let fields = try RequestFields<Fields>(json, path: name)
        return (try fields.value(\.url), fields.name(\.url))
    }
}
