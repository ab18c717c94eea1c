import ConcordCore

/// One text or picture to embed.
public enum EmbeddingInput: Sendable, Hashable {
    case text(String)
    /// The path of a picture.
    case image(String)

    /// Reads one object, `{"text": …}` or `{"image": …}`.
    ///
    /// - Parameter source: what errors call it.
    /// - Throws: `.malformedText` for anything else.
    init(parsing line: [UInt8], source: String) throws(ConcordError) {
        let object = try JSONValue(parsing: line, source: source)
        switch (object["text"]?.string, object["image"]?.string) {
        case (let text?, nil): self = .text(text)
        case (nil, let image?): self = .image(image)
        default:
            throw ConcordError(.malformedText, "\(source) write {\"text\": …} or {\"image\": …}, one of the two")
        }
    }

    var isImage: Bool { if case .image = self { true } else { false } }
}
