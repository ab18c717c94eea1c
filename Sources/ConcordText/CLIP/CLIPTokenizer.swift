import ConcordCore

/// CLIP's tokenizer: a byte-level byte-pair encoding of cleaned text between a start and an end token.
///
/// The two reference implementations give different ids for some texts, so the mode says which one to equal.
/// Copies share one cache; all methods may be called from any thread.
///
/// Follows `transformers/models/clip/tokenization_clip.py` (5.23) and `open_clip/tokenizer.py` (3.3). Characters are
/// classed by the Unicode version of the Swift library; the peers' are one or two versions off, which shows only in
/// characters that are new in those versions.
public struct CLIPTokenizer: Tokenizer {
    /// The reference implementation whose ids it gives.
    public enum Mode: String, Sendable, CaseIterable {
        /// open_clip's `SimpleTokenizer`: repairs text as ftfy does, replaces HTML references, lower case as in Python.
        /// Pads with 0. `<start_of_text>` and `<end_of_text>` in a text become the special tokens; OpenAI's first
        /// release, the same otherwise, takes `<|startoftext|>` and `<|endoftext|>` for them.
        ///
        /// ftfy's guessing of wrong encodings ("cafÃ©" → "café") is left out; such text is encoded as it stands.
        /// That changes the ids of 12 of our 412 adversarial strings, eight of them garbled on purpose.
        case openai
        /// Hugging Face's `CLIPTokenizer`: NFC, and each character in lower case by itself. Pads with the end token.
        /// The special tokens' own names in a text become the special tokens.
        case huggingface
    }

    /// The differences between the `tokenizer.json` files of CLIP models.
    struct FileOptions: Sendable, Hashable {
        /// Whether the split pattern lists the special tokens' names (Transformers 5), so that `<|ENDOFTEXT|>!` is
        /// split after the name, not before the exclamation mark only.
        var patternListsSpecialNames = true
        /// Whether the name of the start or end token is found in normalized text, so also in capitals.
        var normalizesStart = false
        var normalizesEnd = false
    }

    public let mode: Mode
    let vocabulary: CLIPVocabulary
    let fileOptions: FileOptions
    private let pipeline: TokenizerPipeline

    /// Throws `.invalidTokenizer` for a byte without a token where the vocabulary has no unknown token.
    init(mode: Mode, vocabulary: CLIPVocabulary, fileOptions: FileOptions = .init()) throws(ConcordError) {
        self.mode = mode
        self.vocabulary = vocabulary
        self.fileOptions = fileOptions
        let (startName, endName) = CLIPVocabulary.specialNames[1]
        let wholePieces: [[UInt8]: Int32] =
            switch mode {
            case .huggingface: [:]
            case .openai: [Array(startName.utf8): vocabulary.start, Array(endName.utf8): vocabulary.end]
            }
        pipeline = TokenizerPipeline(
            tokens: vocabulary.tokens,
            splitter: Self.splitter(
                mode, fileOptions,
                start: (vocabulary.tokens[Int(vocabulary.start)], vocabulary.start),
                end: (vocabulary.tokens[Int(vocabulary.end)], vocabulary.end)),
            model: .bpe(try vocabulary.model(wholePieces: wholePieces)),
            postProcessor: PostProcessor(prefix: [vocabulary.start], suffix: [vocabulary.end]),
            decoders: [.clip])
    }

    /// Cuts a text into pieces as one of the peers does.
    ///
    /// In mode `openai` a special token's name is a separate piece, wherever the pattern finds it. In mode
    /// `huggingface` such names are cut out before all else; the step that makes one space of white space is left out,
    /// since the next one drops white space.
    static func splitter(
        _ mode: Mode, _ options: FileOptions, start: (name: String, id: Int32), end: (name: String, id: Int32)
    ) -> TextSplitter {
        let special = [
            AddedTokens.Token(name: start.name, id: start.id, isNormalized: options.normalizesStart),
            AddedTokens.Token(name: end.name, id: end.id, isNormalized: options.normalizesEnd),
        ]
        switch mode {
        case .huggingface:
            let scanner = CLIPScanner(listsNames: options.patternListsSpecialNames)
            return TextSplitter(
                addedTokens: special, normalizers: [.form(.c), .lowercase],
                preTokenizers: [.clip(scanner, splitsLiterals: true)])
        case .openai:
            return TextSplitter(
                addedTokens: special, findsTokens: false, normalizers: [.openCLIP],
                preTokenizers: [.clip(.openCLIP, splitsLiterals: false)])
        }
    }

    /// The number of tokens, special ones included.
    public var vocabularySize: Int { vocabulary.tokens.count }
    /// The id that begins every text.
    public var startToken: Int { Int(vocabulary.start) }
    /// The id that ends every text.
    public var endToken: Int { Int(vocabulary.end) }
    /// The id that fills the rows of a batch: 0 in mode `openai`, the end token in mode `huggingface`.
    public var padToken: Int { mode == .openai ? 0 : endToken }

    public var manifest: TokenizerManifest { TokenizerManifest(kind: .clip(mode)) }

    /// The spelling of a token in the vocabulary (`cat</w>`); nil for an id that it does not have.
    public func token(for id: Int32) -> String? { pipeline.token(for: id) }

    /// The ids of a text between the start and end token, at most `contextLength` of them.
    ///
    /// A longer text loses its last tokens, but not the end token.
    public func encode(_ text: String, contextLength: Int) -> (ids: [Int32], isTruncated: Bool) {
        pipeline.encode(text, contextLength: contextLength)
    }

    public func specialTokens(in text: String) -> [String] {
        guard mode == .openai else { return pipeline.specialTokens(in: text).compactMap(token(for:)) }
        // open_clip has its own names, whatever the vocabulary calls the tokens.
        let names = CLIPVocabulary.specialNames[1]
        var found = [String]()
        pipeline.splitter.split(text) { _ in
        } piece: { piece in
            if let name = [names.start, names.end].first(where: { piece.elementsEqual($0.unicodeScalars) }) {
                found.append(name)
            }
        }
        return found
    }

    /// The text that ids stand for, without special tokens: lower case, and a space after each word.
    ///
    /// Bytes that are not UTF-8 become U+FFFD; ids that the vocabulary lacks are left out.
    public func decode(_ ids: [Int32]) -> String { pipeline.decode(ids) }
}
