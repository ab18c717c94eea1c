import ConcordCore

/// Chooses the kind of tokenizer by the files of a model folder.
public enum TokenizerFolder {
    /// Reads the tokenizer of a model folder.
    ///
    /// - Parameters:
    ///   - folder: a folder of Hugging Face, sentence-transformers or open_clip, or one that this package wrote.
    ///   - mode: how CLIP's own tokenizer cleans text; the other kinds have one way only.
    /// - Throws: `.fileSystem` when the folder has no tokenizer; `.invalidTokenizer` for one that is inconsistent, or
    ///   that has a part which is not supported.
    public static func load(
        _ folder: String, mode: CLIPTokenizer.Mode = .huggingface
    ) throws(ConcordError) -> any Tokenizer {
        let path = folder + "/" + TokenizerFiles.document
        let hasPieces = TokenizerFiles.sentencePiece.contains { Files.exists(folder + "/" + $0) }
        // transformers reads SigLIP's model file even where a tokenizer.json lies beside it.
        let isSigLIP = try TokenizerSettings(folder: folder).tokenizerClass == "SiglipTokenizer" && hasPieces
        if Files.exists(path), !isSigLIP {
            let document = try TokenizerSettings.json(path)
            if CLIPTokenizerReader.isCLIP(document) {
                return try CLIPTokenizer(document: document, source: path, mode: mode)
            }
            return try HuggingFaceTokenizer(
                document: document, settings: try TokenizerSettings(folder: folder), source: path)
        }
        if Files.exists(folder + "/" + TokenizerFiles.merges) { return try CLIPTokenizer(folder: folder, mode: mode) }
        if Files.exists(folder + "/" + TokenizerFiles.wordPieces) { return try HuggingFaceTokenizer(folder: folder) }
        if hasPieces { return try SentencePieceTokenizer(folder: folder) }
        throw ConcordError(
            .fileSystem,
            "\(folder) has no tokenizer: no tokenizer.json, vocab.json with merges.txt, vocab.txt or spiece.model; "
                + "name a model folder that has one")
    }
}

/// The names of the files of tokenizers.
package enum TokenizerFiles {
    /// The file of Hugging Face's `tokenizers` library, which says all.
    static let document = "tokenizer.json"
    /// Tokens and merges of a byte-pair encoding.
    static let vocabulary = "vocab.json", merges = "merges.txt"
    /// The tokens of a BERT.
    static let wordPieces = "vocab.txt"
    /// Models of SentencePiece, in the order in which they are looked for.
    static let sentencePiece = ["spiece.model", "tokenizer.model", "sentencepiece.bpe.model"]
    /// Settings that `transformers` keeps beside them.
    static let settings = ["tokenizer_config.json", "special_tokens_map.json"]

    /// The files of which a folder with a tokenizer has one at least.
    package static let vocabularies = [document, vocabulary, wordPieces, merges] + sentencePiece
    /// All that a tokenizer reads or writes.
    package static let known = vocabularies + settings
}

/// The settings in `tokenizer_config.json` and `special_tokens_map.json` of a model folder; both may be missing.
struct TokenizerSettings: Sendable {
    private let documents: [JSONValue]
    let folder: String

    /// Throws `.invalidTokenizer` for a file that is not a JSON object, or that asks for what is not supported.
    init(folder: String) throws(ConcordError) {
        var documents = [JSONValue]()
        for name in TokenizerFiles.settings where Files.exists(folder + "/" + name) {
            let document = try Self.json(folder + "/" + name)
            guard document.members != nil else {
                throw ConcordError(.invalidTokenizer, "\(folder)/\(name): it should be a JSON object")
            }
            documents.append(document)
        }
        self.documents = documents
        self.folder = folder
        for side in ["padding_side", "truncation_side"] {
            if let value = self[side], value != "right" {
                throw ConcordError(
                    .invalidTokenizer,
                    "\(folder)/tokenizer_config.json: \(side) is \(value.text()); only \"right\" is supported")
            }
        }
    }

    /// A setting; nil where it is missing or null.
    subscript(_ name: String) -> JSONValue? {
        documents.lazy.compactMap { $0[name] }.first { !$0.isNull }
    }

    /// The class of `transformers` that reads the tokenizer, without the ending `Fast`.
    var tokenizerClass: String? {
        guard let name = self["tokenizer_class"]?.string else { return nil }
        return name.hasSuffix("Fast") ? String(name.dropLast(4)) : name
    }

    /// The spelling of a special token such as `pad_token`, written as a string or as an object.
    func token(_ name: String) -> String? { self[name]?.string ?? self[name]?["content"]?.string }

    func flag(_ name: String, otherwise: Bool) throws(ConcordError) -> Bool {
        guard let value = self[name] else { return otherwise }
        guard let flag = value.bool else {
            throw ConcordError(
                .invalidTokenizer, "\(folder)/tokenizer_config.json: \(name) is \(value.text()), not true or false")
        }
        return flag
    }

    /// Refuses tokens that `transformers` would add to those of the tokenizer's own file.
    func checkAddedTokens(_ tokens: [String]) throws(ConcordError) {
        for member in self["added_tokens_decoder"]?.members ?? [] {
            guard let name = member.value["content"]?.string else { continue }
            guard let id = Int(member.name), tokens.indices.contains(id), tokens[id].utf8.elementsEqual(name.utf8)
            else {
                throw ConcordError(
                    .invalidTokenizer,
                    "\(folder)/tokenizer_config.json adds the token \"\(name)\" with id \(member.name), which the "
                        + "vocabulary does not have there; save the tokenizer with transformers as tokenizer.json")
            }
        }
    }

    /// A file of lines, without a byte-order mark. Throws `.fileSystem`, and `.invalidTokenizer` for another kind of
    /// file.
    static func text(_ path: String) throws(ConcordError) -> String {
        let bytes = try Files.read(path)
        try ForeignContent.refuse(bytes, path: path, .invalidTokenizer)
        let isMarked = bytes.starts(with: [0xEF, 0xBB, 0xBF])
        guard let text = String(validating: bytes.dropFirst(isMarked ? 3 : 0), as: UTF8.self) else {
            throw ConcordError(.invalidTokenizer, "\(path) is not UTF-8")
        }
        return text
    }

    /// The JSON of a file; text that is not JSON is a bad tokenizer.
    static func json(_ path: String) throws(ConcordError) -> JSONValue {
        do throws(ConcordError) {
            return try JSONValue(contentsOf: path, limit: .max)
        } catch {
            throw ConcordError(error.code == .malformedText ? .invalidTokenizer : error.code, error.message)
        }
    }
}

/// The files that a tokenizer was read from, to write them again as they were.
struct TokenizerFileCopies: Sendable {
    private var files: [(name: String, bytes: [UInt8])] = []

    /// Keeps those of the named files that a folder has.
    init(folder: String, names: [String]) throws(ConcordError) {
        for name in names where Files.exists(folder + "/" + name) {
            files.append((name, try Files.read(folder + "/" + name)))
        }
    }

    func has(_ name: String) -> Bool { files.contains { $0.name == name } }

    /// Writes the files, and `settings` as `tokenizer_config.json` where that is not one of them.
    func write(to folder: String, settings: JSONValue) throws {
        try Files.makeFolder(folder)
        for file in files { try Files.replace(folder + "/" + file.name, with: file.bytes) }
        if !has("tokenizer_config.json") {
            try Files.replace(folder + "/tokenizer_config.json", with: settings.text(pretty: true) + "\n")
        }
    }
}
