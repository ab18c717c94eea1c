/// One thing to embed, and the field that it came in.
struct EmbeddingInput: Sendable {
    enum Content: Sendable {
        case text(String)
        case tokens([Int32])
        case image(ImageSource)
        /// What cannot be embedded, in a request whose other inputs are embedded all the same.
        indirect case refused(RequestFailure)
    }

    let content: Content
    let parameter: String
    /// Whether the text came in a field that takes pictures, too, and the client did not say which it is.
    var isUndeclared = false

    var isImage: Bool { if case .image = content { true } else { false } }
}
