import ConcordCore

/// A part of a message or of an input that has several: OpenAI's `text` and `image_url`, Voyage's `image_base64`.
enum ContentPart: Sendable {
    case text(String, parameter: String)
    case image(ImageSource, parameter: String)

    init(_ value: JSONValue, path: String) throws(RequestFailure) {
        let fields = try RequestFields(value, path: path, known: ["type", "text", "image_url", "image_base64"])
        switch try fields.requiredText("type") {
        case "text", "input_text":
            let text = try fields.requiredText("text")
            self = .text(text, parameter: fields.name("text"))
        case "image_url", "input_image":
            guard let address = fields["image_url"] else { throw .missing(fields.name("image_url")) }
            let name = fields.name("image_url")
            if let text = address.string {
                self = .image(try ImageText.source(text, parameter: name, allowsBare: false), parameter: name)
                return
            }
            let inner = try RequestFields(address, path: name, known: ["url", "detail"])
            let text = try inner.requiredText("url")
            self = .image(
                try ImageText.source(text, parameter: inner.name("url"), allowsBare: false),
                parameter: inner.name("url")
            )
        case "image_base64":
            let text = try fields.requiredText("image_base64")
            let name = fields.name("image_base64")
            self = .image(try ImageText.source(text, parameter: name, allowsBare: true), parameter: name)
        default: throw fields.wrong("type", "\"text\" or \"image_url\"")
        }
    }
}
