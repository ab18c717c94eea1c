import ConcordCore

/// BERT's model: the longest token that a word begins with, then the longest continuation, and so on.
struct WordPieceModel: Sendable {
    private let beginnings, continuations: PieceTrie
    private let unknown: Int32
    private let longestWord: Int

    /// - Parameters:
    ///   - vocabulary: the tokens by their bytes.
    ///   - prefix: what marks a token that continues a word, `##`.
    ///   - longestWord: words of more characters are unknown as a whole.
    init(vocabulary: [[UInt8]: Int32], unknown: Int32, prefix: String, longestWord: Int) {
        let keys = vocabulary.filter { !$0.key.isEmpty }.map { (key: $0.key[...], value: $0.value) }
        beginnings = PieceTrie(keys)
        continuations = PieceTrie(
            keys.filter { $0.key.count > prefix.utf8.count && $0.key.starts(with: prefix.utf8) }
                .map { ($0.key.dropFirst(prefix.utf8.count), $0.value) })
        self.unknown = unknown
        self.longestWord = longestWord
    }

    /// The tokens of a word; the unknown token alone when it cannot be put together.
    func encode(_ word: ArraySlice<UInt8>) -> [Int32] {
        // Each character has one byte that does not continue another.
        guard word.count <= longestWord || word.count(where: { $0 & 0xC0 != 0x80 }) <= longestWord else {
            return [unknown]
        }
        var ids = [Int32]()
        var position = word.startIndex
        while position < word.endIndex {
            let trie = position == word.startIndex ? beginnings : continuations
            guard let match = trie.longestMatch(in: word, from: position) else { return [unknown] }
            ids.append(match.value)
            position = match.end
        }
        return ids
    }
}

/// A folder of BERT with `vocab.txt` and no `tokenizer.json`, as `BertTokenizer` of `transformers` reads it.
struct WordPieceVocabulary {
    let settings: TokenizerSettings

    /// The classes that build the same pipeline.
    private static let classes = [
        "BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "MobileBertTokenizer", "RetriBertTokenizer",
    ]

    /// The `tokenizer.json` that such a folder stands for. Throws `.fileSystem`, `.invalidTokenizer`.
    func document(vocabulary path: String) throws(ConcordError) -> JSONValue {
        if let name = settings.tokenizerClass, !Self.classes.contains(name) {
            throw ConcordError(
                .invalidTokenizer,
                "\(settings.folder)/tokenizer_config.json: tokenizer_class \"\(name)\" with a vocab.txt is not "
                    + "supported; save the tokenizer with transformers as tokenizer.json")
        }
        let names = try tokens(path)
        func id(_ name: String) -> Int? { names.firstIndex { $0.utf8.elementsEqual(name.utf8) } }
        func special(_ name: String, _ otherwise: String) throws(ConcordError) -> (name: String, id: Int) {
            let token = settings.token(name) ?? otherwise
            guard let id = id(token) else {
                throw ConcordError(.invalidTokenizer, "\(path): the \(name) \"\(token)\" is not in the vocabulary")
            }
            return (token, id)
        }
        let unknown = try special("unk_token", "[UNK]")
        let start = try special("cls_token", "[CLS]")
        let end = try special("sep_token", "[SEP]")
        let padding = try special("pad_token", "[PAD]")
        let mask = settings.token("mask_token") ?? "[MASK]"
        let lowercases = try settings.flag("do_lower_case", otherwise: true)
        func added(_ name: String, _ id: Int) -> JSONValue {
            ["id": .integer(id), "content": .string(name), "normalized": false, "special": true]
        }
        func piece(_ name: String) -> JSONValue { ["SpecialToken": ["id": .string(name), "type_id": 0]] }
        func ids(_ token: (name: String, id: Int)) -> JSONValue {
            ["id": .string(token.name), "ids": [.integer(token.id)], "tokens": [.string(token.name)]]
        }
        return [
            "added_tokens": .array(
                [unknown, end, padding, start].map { added($0.name, $0.id) }
                    + (id(mask).map { [added(mask, $0)] } ?? [])),
            "normalizer": [
                "type": "BertNormalizer", "clean_text": true,
                "handle_chinese_chars": .bool(try settings.flag("tokenize_chinese_chars", otherwise: true)),
                "strip_accents": .bool(try settings.flag("strip_accents", otherwise: lowercases)),
                "lowercase": .bool(lowercases),
            ],
            "pre_tokenizer": ["type": "BertPreTokenizer"],
            "post_processor": [
                "type": "TemplateProcessing",
                "single": [piece(start.name), ["Sequence": ["id": "A", "type_id": 0]], piece(end.name)],
                "special_tokens": .object([.init(start.name, ids(start)), .init(end.name, ids(end))]),
            ],
            "decoder": ["type": "WordPiece", "prefix": "##", "cleanup": true],
            "padding": ["pad_id": .integer(padding.id)],
            "model": [
                "type": "WordPiece", "unk_token": .string(unknown.name), "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100,
                "vocab": .object(names.enumerated().map { .init($1, .integer($0)) }),
            ],
        ]
    }

    /// The lines of the file: token 0 first.
    private func tokens(_ path: String) throws(ConcordError) -> [String] {
        var lines = try TokenizerSettings.text(path).utf8.split(
            separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines.map { line in
            String(Substring(line.last == UInt8(ascii: "\r") ? line.dropLast() : line))
        }
    }
}
