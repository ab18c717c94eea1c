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
    package init(tokenizerJSON path: String, mode: Mode = .huggingface) throws(ConcordError) {
        try self.init(document: try TokenizerSettings.json(path), source: path, mode: mode)
    }

    /// Reads a `tokenizer.json` that is parsed already; `source` names it in errors.
    init(document: JSONValue, source: String, mode: Mode) throws(ConcordError) {
        let reader = CLIPTokenizerReader(document: document, source: source)
        let (vocabulary, options) = try reader.read(allowsUnknownBytes: mode == .huggingface)
        try self.init(mode: mode, vocabulary: vocabulary, fileOptions: options)
    }

    /// Reads `vocab.json` (token to id) and `merges.txt` (a version line, then a merge a line).
    /// Throws as `init(folder:mode:)`.
    package init(vocabulary path: String, merges: String, mode: Mode = .huggingface) throws(ConcordError) {
        guard let members = try TokenizerSettings.json(path).members else {
            throw ConcordError(.invalidTokenizer, "\(path): it should be a JSON object from token to id")
        }
        let vocabulary = try CLIPVocabulary(
            entries: try TokenTable.entries(members, source: path), merges: try Self.mergePairs(merges),
            // The name that `CLIPTokenizer` of Transformers gives the unknown token.
            unknownToken: mode == .huggingface ? CLIPVocabulary.specialNames[0].end : nil, source: path)
        try self.init(mode: mode, vocabulary: vocabulary)
    }

    /// Reads merges alone, as `bpe_simple_vocab_16e6.txt` has them (unpacked), and numbers the tokens as OpenAI does:
    /// bytes, bytes at a word's end, merges, start, end. Throws as `init(folder:mode:)`.
    package init(merges path: String, mode: Mode = .huggingface) throws(ConcordError) {
        let vocabulary = try CLIPVocabulary(merges: try Self.mergePairs(path), source: path)
        try self.init(mode: mode, vocabulary: vocabulary)
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
            pairs.append(try MergeTable.pair(Substring(line), source: "\(path), line \(index + 1)"))
        }
        return pairs
    }
}

/// Reads a `tokenizer.json`, and refuses whatever would make Hugging Face's ids differ from ours.
struct CLIPTokenizerReader {
    let document: JSONValue
    let source: String

    /// The vocabulary of the file and how it treats special names.
    func read(allowsUnknownBytes: Bool) throws(ConcordError) -> (CLIPVocabulary, CLIPTokenizer.FileOptions) {
        guard document.members != nil else { throw failure("it should be a JSON object") }
        let model = document["model"] ?? .null
        guard let members = model["vocab"]?.members else { throw failure("model.vocab should be an object") }
        guard let mergeList = model["merges"]?.elements else { throw failure("model.merges should be a list") }
        try require("model.type", model["type"], isOneOf: [nil, "BPE"])
        try require("model.dropout", model["dropout"], isOneOf: [nil, .null])
        try require("model.continuing_subword_prefix", model["continuing_subword_prefix"], isOneOf: [nil, .null, ""])
        try require("model.end_of_word_suffix", model["end_of_word_suffix"], isOneOf: [.string(ByteSymbols.wordEnd)])
        for flag in ["fuse_unk", "byte_fallback", "ignore_merges"] {
            try require("model.\(flag)", model[flag], isOneOf: [nil, false])
        }
        try checkNormalizer()
        var options = CLIPTokenizer.FileOptions()
        options.patternListsSpecialNames = try checkSplit()

        var entries = try TokenTable.entries(members, source: source)
        let names = try addSpecialTokens(to: &entries, &options)
        let vocabulary = try CLIPVocabulary(
            entries: entries, merges: try MergeTable.pairs(mergeList, source: source),
            unknownToken: allowsUnknownBytes ? model["unk_token"]?.string : nil,
            source: source)
        let special = [vocabulary.start, vocabulary.end].map { vocabulary.tokens[Int($0)] }
        if let other = names.first(where: { name in !special.contains { $0.utf8.elementsEqual(name.utf8) } }) {
            throw failure("added token \"\(other)\" is neither the start nor the end token; only those are supported")
        }
        try checkPostProcessor(vocabulary)
        return (vocabulary, options)
    }

    private func failure(_ problem: String) -> ConcordError {
        ConcordError(.invalidTokenizer, "\(source): \(problem)")
    }

    private func require(_ name: String, _ value: JSONValue?, isOneOf allowed: [JSONValue?]) throws(ConcordError) {
        guard allowed.contains(value) else {
            let expected = allowed.compactMap { $0?.text() }.joined(separator: " or ")
            throw failure("\(name) is \(value?.text() ?? "missing"); CLIP's tokenizer has \(expected)")
        }
    }

    /// Whether the steps of a `tokenizer.json` are CLIP's, so that this reads it or says what is wrong with it.
    static func isCLIP(_ document: JSONValue) -> Bool {
        let pattern = document["pre_tokenizer"]?["pretokenizers"]?.elements?.first?["pattern"]?["Regex"]?.string
        let names = (document["added_tokens"]?.elements ?? []).compactMap { $0["content"]?.string }
        return document["model"]?["end_of_word_suffix"]?.string == ByteSymbols.wordEnd
            && hasNormalizer(document) && (pattern == CLIPScanner.pattern || pattern == CLIPScanner.patternWithoutNames)
            && names.allSatisfy { name in
                CLIPVocabulary.specialNames.contains { $0.start == name || $0.end == name }
            }
    }

    private static func hasNormalizer(_ document: JSONValue) -> Bool {
        let normalizer = document["normalizer"] ?? .null
        let expected: [JSONValue] = [
            ["type": "NFC"], ["type": "Replace", "pattern": ["Regex": #"\s+"#], "content": " "], ["type": "Lowercase"],
        ]
        return normalizer["type"] == "Sequence" && normalizer["normalizers"]?.elements == expected
    }

    private func checkNormalizer() throws(ConcordError) {
        let normalizer = document["normalizer"] ?? .null
        guard Self.hasNormalizer(document) else {
            throw failure(
                "normalizer is \(normalizer.text()); only CLIP's is supported: NFC, white space to one space, lower case"
            )
        }
    }

    /// Checks the splitting steps; says whether their pattern lists the special names.
    private func checkSplit() throws(ConcordError) -> Bool {
        let steps = document["pre_tokenizer"] ?? .null
        let parts = steps["pretokenizers"]?.elements ?? []
        guard steps["type"] == "Sequence", parts.count == 2, parts[0]["type"] == "Split",
            parts[1]["type"] == "ByteLevel"
        else { throw failure("pre_tokenizer is \(steps.text()); only CLIP's is supported: Split, then ByteLevel") }
        let pattern = parts[0]["pattern"]?["Regex"]
        try require(
            "the split pattern", pattern,
            isOneOf: [.string(CLIPScanner.pattern), .string(CLIPScanner.patternWithoutNames)])
        try require("the split behavior", parts[0]["behavior"], isOneOf: ["Removed"])
        try require("the split's invert", parts[0]["invert"], isOneOf: [true])
        try require("ByteLevel's add_prefix_space", parts[1]["add_prefix_space"], isOneOf: [false])
        return pattern?.string == CLIPScanner.pattern
    }

    /// Adds the special tokens that stand only under `added_tokens`; gives the names of all that stand there.
    private func addSpecialTokens(
        to entries: inout [(name: String, id: Int)], _ options: inout CLIPTokenizer.FileOptions
    ) throws(ConcordError) -> [String] {
        guard let list = (document["added_tokens"] ?? []).elements else {
            throw failure("added_tokens should be a list")
        }
        let known = Set(entries.map { Array($0.name.utf8) })
        var names = [String]()
        for token in list {
            guard let name = token["content"]?.string, let id = token["id"]?.int else {
                throw failure("an added token lacks its content or id: \(token.text())")
            }
            for flag in ["single_word", "lstrip", "rstrip"] {
                try require("\(flag) of \"\(name)\"", token[flag], isOneOf: [nil, false])
            }
            if !known.contains(Array(name.utf8)) {
                entries.append((name, id))
            } else if !entries.contains(where: { $0.id == id && $0.name.utf8.elementsEqual(name.utf8) }) {
                throw failure("added token \"\(name)\" has id \(id), but another in model.vocab")
            }
            let isNormalized = token["normalized"]?.bool ?? false
            if CLIPVocabulary.specialNames.contains(where: { $0.start == name }) {
                options.normalizesStart = isNormalized
            } else {
                options.normalizesEnd = isNormalized
            }
            names.append(name)
        }
        return names
    }

    private func checkPostProcessor(_ vocabulary: CLIPVocabulary) throws(ConcordError) {
        // Without one, Transformers' CLIP class puts its own in place, which is this.
        guard let processor = document["post_processor"], !processor.isNull else { return }
        func framing(_ id: Int32) -> JSONValue { [.string(vocabulary.tokens[Int(id)]), .integer(Int(id))] }
        try require("post_processor.type", processor["type"], isOneOf: ["RobertaProcessing"])
        try require("post_processor.cls", processor["cls"], isOneOf: [framing(vocabulary.start)])
        try require("post_processor.sep", processor["sep"], isOneOf: [framing(vocabulary.end)])
    }
}

extension CLIPTokenizer {
    /// The tokenizer as Hugging Face's `tokenizer.json`, which `transformers` and `tokenizers` read.
    ///
    /// It describes mode `huggingface`: the format cannot express the cleaning of mode `openai`, so keep the mode
    /// beside it.
    package func tokenizerJSON() -> JSONValue {
        let tokens = vocabulary.tokens
        let start = tokens[startToken]
        let end = tokens[endToken]
        let pattern =
            fileOptions.patternListsSpecialNames
            ? CLIPScanner.pattern : CLIPScanner.patternWithoutNames
        func added(_ id: Int, isNormalized: Bool) -> JSONValue {
            [
                "id": .integer(id), "content": .string(tokens[id]), "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": .bool(isNormalized), "special": true,
            ]
        }
        return [
            "version": "1.0",
            "truncation": nil,
            "padding": nil,
            "added_tokens": [
                added(startToken, isNormalized: fileOptions.normalizesStart),
                added(endToken, isNormalized: fileOptions.normalizesEnd),
            ],
            "normalizer": [
                "type": "Sequence",
                "normalizers": [
                    ["type": "NFC"], ["type": "Replace", "pattern": ["Regex": #"\s+"#], "content": " "],
                    ["type": "Lowercase"],
                ],
            ],
            "pre_tokenizer": [
                "type": "Sequence",
                "pretokenizers": [
                    [
                        "type": "Split", "pattern": ["Regex": .string(pattern)], "behavior": "Removed",
                        "invert": true,
                    ],
                    ["type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true],
                ],
            ],
            "post_processor": [
                "type": "RobertaProcessing", "sep": [.string(end), .integer(endToken)],
                "cls": [.string(start), .integer(startToken)], "trim_offsets": false, "add_prefix_space": false,
            ],
            "decoder": ["type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true],
            "model": [
                "type": "BPE", "dropout": nil, "unk_token": .string(end), "continuing_subword_prefix": "",
                "end_of_word_suffix": .string(ByteSymbols.wordEnd), "fuse_unk": false, "byte_fallback": false,
                "ignore_merges": false,
                "vocab": .object(tokens.enumerated().map { .init($1, .integer($0)) }),
                "merges": .array(
                    vocabulary.merges.map { .string(tokens[Int($0.left)] + " " + tokens[Int($0.right)]) }),
            ],
        ]
    }

    /// Writes `tokenizer.json` and `tokenizer_config.json` into a folder, so that `AutoTokenizer` of `transformers`
    /// and `init(folder:mode:)` load it.
    ///
    /// - Parameter contextLength: the longest text that the model takes, in tokens with start and end.
    /// - Throws: `.fileSystem`.
    public func write(to folder: String, contextLength: Int) throws {
        let start = JSONValue.string(vocabulary.tokens[startToken])
        let end = JSONValue.string(vocabulary.tokens[endToken])
        let configuration: JSONValue = [
            "tokenizer_class": "CLIPTokenizer", "bos_token": start, "eos_token": end, "unk_token": end,
            "pad_token": end, "model_max_length": .integer(contextLength),
        ]
        try Files.makeFolder(folder)
        try Files.replace(folder + "/tokenizer.json", with: tokenizerJSON().text(pretty: true) + "\n")
        try Files.replace(folder + "/tokenizer_config.json", with: configuration.text(pretty: true) + "\n")
    }
}
