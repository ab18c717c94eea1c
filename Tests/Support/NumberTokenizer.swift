import ConcordCore

/// A tokenizer whose words are numbers: the text `5 17 42` has these ids.
public enum NumberTokenizer {
    /// Writes the tokenizer's files: words below `count`, texts that begin with `start` and end with `end`.
    public static func write(to folder: String, count: Int, start: Int?, end: Int, pad: Int) throws {
        func special(_ id: Int) -> JSONValue { ["SpecialToken": ["id": .string("\(id)"), "type_id": 0]] }
        func named(_ id: Int) -> JSONValue.Member {
            .init("\(id)", ["id": .string("\(id)"), "ids": [.integer(id)], "tokens": [.string("\(id)")]])
        }
        let text: JSONValue = ["Sequence": ["id": "A", "type_id": 0]]
        let pair: JSONValue = ["Sequence": ["id": "B", "type_id": 1]]
        let before = start.map { [special($0)] } ?? []
        let document: JSONValue = [
            "version": "1.0", "truncation": nil, "padding": nil, "added_tokens": [], "normalizer": nil,
            "pre_tokenizer": ["type": "WhitespaceSplit"],
            "post_processor": [
                "type": "TemplateProcessing", "single": .array(before + [text, special(end)]),
                "pair": .array(before + [text, special(end), pair, special(end)]),
                "special_tokens": .object((start.map { [named($0)] } ?? []) + [named(end)]),
            ],
            "decoder": nil,
            "model": [
                "type": "WordPiece", "unk_token": "1", "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100,
                "vocab": .object((0..<count).map { .init("\($0)", .integer($0)) }),
            ],
        ]
        let settings: JSONValue = [
            "tokenizer_class": "PreTrainedTokenizerFast", "pad_token": .string("\(pad)"), "unk_token": "1",
        ]
        try Files.replace(folder + "/tokenizer.json", with: document.text())
        try Files.replace(folder + "/tokenizer_config.json", with: settings.text())
    }
}
