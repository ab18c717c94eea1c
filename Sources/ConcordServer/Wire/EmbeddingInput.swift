/// One thing to embed, and the field that it came in.
struct EmbeddingInput: Sendable {
    enum Content: Sendable {
        case text(String)
        case tokens([Int32])
        case image(ImageSource)
    }

    let content: Content
    let parameter: String

    var isImage: Bool { if case .image = content { true } else { false } }
}
