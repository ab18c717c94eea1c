import ConcordCore

/// One text or picture to embed.
public enum EmbeddingInput: Sendable, Hashable {
    case text(String)
    /// The path of a picture.
    case image(String)

    /// Reads a file with one object a line, `{"text": …}` or `{"image": …}`; blank lines are passed over.
    ///
    /// - Throws: `.malformedText` naming the line that is neither.
    public static func read(_ path: String) throws(ConcordError) -> [EmbeddingInput] {
        var inputs = [EmbeddingInput]()
        let lines = try Files.read(path).split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() where line.contains(where: { $0 > 0x20 }) {
            let object = try JSONValue(parsing: line, source: "\(path), line \(index + 1),")
            switch (object["text"]?.string, object["image"]?.string) {
            case (let text?, nil): inputs.append(.text(text))
            case (nil, let image?): inputs.append(.image(image))
            default:
                throw ConcordError(
                    .malformedText, "\(path), line \(index + 1): write {\"text\": …} or {\"image\": …}, one of the two")
            }
        }
        return inputs
    }
}
