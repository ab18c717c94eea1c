import ConcordCore

extension CLIPTokenizer {
    /// Reads the tokenizer of a model folder: `tokenizer.json`, else `vocab.json` with `merges.txt`, else `merges.txt`.
    ///
    /// - Throws: `.fileSystem` when there is none; `.invalidTokenizer` for anything inconsistent or unsupported in it,
    ///   also for text that is not UTF-8 or JSON.
    public init(folder: String, mode: Mode = .huggingface) throws(ConcordError) {
        let document = folder + "/tokenizer.json"
        let vocabulary = folder + "/vocab.json"
        let merges = folder + "/merges.txt"
        if Files.exists(document) {
            try self.init(tokenizerJSON: document, mode: mode)
        } else if Files.exists(vocabulary) {
            try self.init(vocabulary: vocabulary, merges: merges, mode: mode)
        } else if Files.exists(merges) {
            try self.init(merges: merges, mode: mode)
        } else {
            throw ConcordError(
                .fileSystem,
                "\(folder) has no tokenizer.json, vocab.json or merges.txt; name a model folder that has one")
        }
    }

    /// Reads a `tokenizer.json` of Hugging Face's `tokenizers` library. Throws as `init(folder:mode:)`.
    public init(tokenizerJSON path: String, mode: Mode = .huggingface) throws(ConcordError) {
        try self.init(document: try TokenizerSettings.json(path), source: path, mode: mode)
    }

    /// Reads a `tokenizer.json` that is parsed already; `source` names it in errors.
    init(document: JSONValue, source: String, mode: Mode) throws(ConcordError) {
        let reader = TokenizerJSONReader(document: document, source: source)
        let (vocabulary, options) = try reader.read(allowsUnknownBytes: mode == .huggingface)
        self.init(mode: mode, vocabulary: vocabulary, options: options)
    }

    /// Reads `vocab.json` (token to id) and `merges.txt` (a version line, then a merge a line).
    /// Throws as `init(folder:mode:)`.
    public init(vocabulary path: String, merges: String, mode: Mode = .huggingface) throws(ConcordError) {
        guard let members = try TokenizerSettings.json(path).members else {
            throw ConcordError(.invalidTokenizer, "\(path): it should be a JSON object from token to id")
        }
        let vocabulary = try BytePairVocabulary(
            entries: try TokenizerJSONReader.entries(members, source: path), merges: try Self.mergePairs(merges),
            // The name that `CLIPTokenizer` of Transformers gives the unknown token.
            unknownToken: mode == .huggingface ? BytePairVocabulary.specialNames[0].end : nil, source: path)
        self.init(mode: mode, vocabulary: vocabulary, options: .init())
    }

    /// Reads merges alone, as `bpe_simple_vocab_16e6.txt` has them (unpacked), and numbers the tokens as OpenAI does:
    /// bytes, bytes at a word's end, merges, start, end. Throws as `init(folder:mode:)`.
    public init(merges path: String, mode: Mode = .huggingface) throws(ConcordError) {
        let vocabulary = try BytePairVocabulary(merges: try Self.mergePairs(path), source: path)
        self.init(mode: mode, vocabulary: vocabulary, options: .init())
    }

    private static func mergePairs(_ path: String) throws(ConcordError) -> [(left: String, right: String)] {
        let text = try TokenizerSettings.text(path)
        var pairs = [(left: String, right: String)]()
        for (index, line) in text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .enumerated()
        {
            let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
            // The first line names the version; only the end of the file may be empty.
            if index == 0 && line.starts(with: "#version".utf8) || line.isEmpty && line.endIndex == text.endIndex {
                continue
            }
            pairs.append(try TokenizerJSONReader.pair(Substring(line), source: "\(path), line \(index + 1)"))
        }
        return pairs
    }
}
