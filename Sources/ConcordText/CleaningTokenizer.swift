/// A tokenizer that cleans texts first, as open_clip's `HFTokenizer` does around one of Hugging Face.
///
/// open_clip pads each text to the context: use `batch(_:contextLength:padsToContext:padToken:)` with `true`.
package struct CleaningTokenizer: Tokenizer {
    /// The tokenizer that sees the cleaned text.
    package let base: any Tokenizer
    package let cleaning: TextCleaning
    /// A token that becomes id 0 (`strip_sep_token` of open_clip, for CLIPA models); nil for none.
    package let strippedToken: Int32?

    package init(_ base: any Tokenizer, cleaning: TextCleaning, strippedToken: Int32? = nil) {
        self.base = base
        self.cleaning = cleaning
        self.strippedToken = strippedToken
    }

    package var vocabularySize: Int { base.vocabularySize }
    package var padToken: Int { base.padToken }

    package var manifest: TokenizerManifest {
        var manifest = base.manifest
        manifest.cleaning = cleaning
        manifest.strippedToken = strippedToken
        return manifest
    }

    package func encode(_ text: String, contextLength: Int) -> (ids: [Int32], isTruncated: Bool) {
        var encoded = base.encode(cleaning.cleaned(text), contextLength: contextLength)
        if let strippedToken {
            for (index, id) in encoded.ids.enumerated() where id == strippedToken { encoded.ids[index] = 0 }
        }
        return encoded
    }

    package func specialTokens(in text: String) -> [String] { base.specialTokens(in: cleaning.cleaned(text)) }

    package func token(for id: Int32) -> String? { base.token(for: id) }
    package func decode(_ ids: [Int32]) -> String { base.decode(ids) }

    /// Writes the files of `base`; how texts are cleaned stands in the model's configuration.
    package func write(to folder: String, contextLength: Int) throws {
        try base.write(to: folder, contextLength: contextLength)
    }
}

/// The cleaning of a text before a tokenizer sees it, as open_clip does it (`clean` of `tokenizer_kwargs` in
/// `open_clip_config.json`).
///
/// Follows `open_clip/tokenizer.py` (3.3); as in ``CLIPTokenizer/Mode/openai``, ftfy's guessing of wrong encodings is
/// left out.
public enum TextCleaning: String, Sendable, CaseIterable {
    /// The text as it stands.
    case none
    /// Repaired as by ftfy, HTML references replaced, runs of white space made one space. What open_clip does for
    /// tokenizers of Hugging Face when its configuration does not say.
    case whitespace
    /// As `whitespace`, and in lower case.
    case lower
    /// In lower case and nothing else, as sentence-transformers does it (`do_lower_case`).
    case lowercase
    /// As `lower`, without ASCII punctuation; an underscore becomes a space (SigLIP).
    case canonicalize

    /// The kinds that open_clip's configurations name.
    package static let openCLIP: [TextCleaning] = [.whitespace, .lower, .canonicalize]

    /// The cleaned text.
    package func cleaned(_ text: String) -> String {
        switch self {
        case .none: return text
        case .lowercase:
            return String(String.UnicodeScalarView(Normalization.lowercased(Array(text.unicodeScalars))))
        case .whitespace, .lower, .canonicalize: break
        }
        let basic = Self.repaired(Array(text.unicodeScalars))
        let output =
            switch self {
            case .none, .lowercase, .whitespace: PythonText.collapsingSpace(basic)
            // In this order: whether a sigma ends a word depends on what stands around it.
            case .lower: Normalization.lowercased(PythonText.collapsingSpace(basic))
            case .canonicalize:
                PythonText.collapsingSpace(
                    Normalization.lowercased(
                        PythonText.removingPunctuation(PythonText.stripping(basic).lazy.map { $0 == "_" ? " " : $0 })))
            }
        return String(String.UnicodeScalarView(output))
    }

    /// The text repaired as by ftfy, with HTML references replaced twice: `basic_clean` of open_clip.
    static func repaired(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
        HTMLEntities.unescaped(HTMLEntities.unescaped(TextRepair.repaired(text)))
    }
}
