import ConcordCore

/// The tokenizer that a `tokenizer.json` of Hugging Face's `tokenizers` library describes, or a `vocab.txt` of BERT.
///
/// Reads byte-pair encodings (RoBERTa, Gemma), WordPiece (BERT) and Unigram (T5, XLM-RoBERTa, SigLIP) with the steps
/// around them, and gives the ids of `tokenizers` 0.23. A step that is not known is refused, by its name and value.
/// `truncation` and `padding` of the file are not applied: the model says how long a text may be.
///
/// Characters that came after Unicode 8 or 9 are classed as by the peer's older tables, those of Unicode 17 as by the
/// Swift library's. Copies share one cache; all methods may be called from any thread.
package struct HuggingFaceTokenizer: Tokenizer {
    private let pipeline: TokenizerPipeline
    private let files: TokenizerFileCopies
    package let padToken: Int

    package var vocabularySize: Int { pipeline.tokens.count }

    /// Reads `tokenizer.json` of a model folder, else `vocab.txt`.
    ///
    /// - Throws: `.fileSystem` when there is neither; `.invalidTokenizer` for anything inconsistent or unsupported.
    package init(folder: String) throws(ConcordError) {
        let path = folder + "/" + TokenizerFiles.document
        let settings = try TokenizerSettings(folder: folder)
        if Files.exists(path) {
            try self.init(document: try TokenizerSettings.json(path), settings: settings, source: path)
        } else {
            let vocabulary = folder + "/" + TokenizerFiles.wordPieces
            let document = try WordPieceVocabulary(settings: settings).document(vocabulary: vocabulary)
            try self.init(document: document, settings: settings, source: vocabulary)
        }
    }

    /// Reads a document that is parsed already; `source` names it in errors.
    init(document: JSONValue, settings: TokenizerSettings, source: String) throws(ConcordError) {
        pipeline = try TokenizerPipelineReader(document: document, source: source).read()
        try settings.checkAddedTokens(pipeline.tokens)
        padToken = try Self.padToken(pipeline, document, settings)
        files = try TokenizerFileCopies(
            folder: settings.folder,
            names: [TokenizerFiles.document, TokenizerFiles.wordPieces] + TokenizerFiles.settings)
    }

    private static func padToken(
        _ pipeline: TokenizerPipeline, _ document: JSONValue, _ settings: TokenizerSettings
    ) throws(ConcordError) -> Int {
        func id(_ name: String) -> Int? { pipeline.tokens.firstIndex { $0.utf8.elementsEqual(name.utf8) } }
        if let name = settings.token("pad_token") {
            guard let id = id(name) else {
                throw ConcordError(
                    .invalidTokenizer, "\(settings.folder): the pad token \"\(name)\" is not in the vocabulary")
            }
            return id
        }
        if let padding = document["padding"]?["pad_id"]?.int, pipeline.tokens.indices.contains(padding) {
            return padding
        }
        guard let id = id("[PAD]") ?? id("<pad>") else {
            throw ConcordError(
                .invalidTokenizer,
                "\(settings.folder) names no pad token; add pad_token to its tokenizer_config.json")
        }
        return id
    }

    package func encode(_ text: String, contextLength: Int) -> (ids: [Int32], isTruncated: Bool) {
        pipeline.encode(text, contextLength: contextLength)
    }

    package func specialTokens(in text: String) -> [String] {
        pipeline.specialTokens(in: text).compactMap(token(for:))
    }

    package func token(for id: Int32) -> String? { pipeline.token(for: id) }

    package func decode(_ ids: [Int32]) -> String { pipeline.decode(ids) }

    /// Writes the files that the tokenizer was read from, byte for byte; a `tokenizer_config.json` only where there
    /// was none. Throws `.fileSystem`.
    package func write(to folder: String, contextLength: Int) throws {
        try files.write(
            to: folder,
            settings: [
                "tokenizer_class": files.has(TokenizerFiles.document) ? "PreTrainedTokenizerFast" : "BertTokenizer",
                "pad_token": .string(pipeline.tokens[padToken]), "model_max_length": .integer(contextLength),
            ])
    }
}
