import ConcordCore

extension CLIPTokenizer {
    /// The tokenizer as Hugging Face's `tokenizer.json`, which `transformers` and `tokenizers` read.
    ///
    /// It describes mode `huggingface`: the format cannot express the cleaning of mode `openai`, so keep the mode
    /// beside it.
    public func tokenizerJSON() -> JSONValue {
        let tokens = vocabulary.tokens
        let start = tokens[startToken]
        let end = tokens[endToken]
        let pattern =
            pipeline.options.patternListsSpecialNames
            ? TokenizerJSONReader.splitPattern : TokenizerJSONReader.splitPatternWithoutNames
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
                added(startToken, isNormalized: pipeline.options.normalizesStart),
                added(endToken, isNormalized: pipeline.options.normalizesEnd),
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
