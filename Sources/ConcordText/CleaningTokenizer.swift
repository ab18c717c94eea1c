/// A tokenizer that cleans texts first, as open_clip's `HFTokenizer` does around one of Hugging Face.
///
/// open_clip pads each text to the context: use `batch(_:contextLength:padsToContext:padToken:)` with `true`.
public struct CleaningTokenizer: Tokenizer {
    /// The tokenizer that sees the cleaned text.
    public let base: any Tokenizer
    public let cleaning: TextCleaning
    /// A token that becomes id 0 (`strip_sep_token` of open_clip, for CLIPA models); nil for none.
    public let strippedToken: Int32?

    public init(_ base: any Tokenizer, cleaning: TextCleaning, strippedToken: Int32? = nil) {
        self.base = base
        self.cleaning = cleaning
        self.strippedToken = strippedToken
    }

    public var vocabularySize: Int { base.vocabularySize }
    public var padToken: Int { base.padToken }

    public func encode(_ text: String, contextLength: Int) -> (ids: [Int32], isTruncated: Bool) {
        var encoded = base.encode(cleaning.cleaned(text), contextLength: contextLength)
        if let strippedToken {
            for (index, id) in encoded.ids.enumerated() where id == strippedToken { encoded.ids[index] = 0 }
        }
        return encoded
    }

    public func specialTokens(in text: String) -> [String] { base.specialTokens(in: cleaning.cleaned(text)) }

    public func token(for id: Int32) -> String? { base.token(for: id) }
    public func decode(_ ids: [Int32]) -> String { base.decode(ids) }

    /// Writes the files of `base`; how texts are cleaned stands in the model's configuration.
    public func write(to folder: String, contextLength: Int) throws {
        try base.write(to: folder, contextLength: contextLength)
    }
}
