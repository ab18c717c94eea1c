/// One text that describes a picture.
public struct Caption: Sendable, Hashable {
    public let text: String
    /// The language as a BCP 47 tag (`en`, `zh`), when the file says so.
    public let language: String?
    /// What sort of caption it is (`name`, `keyword`, …), when the file says so. Sampling can weigh the kinds.
    public let kind: String?

    public init(_ text: String, language: String? = nil, kind: String? = nil) {
        self.text = text
        self.language = language
        self.kind = kind
    }
}
