import ConcordCore
import ConcordTestSupport
import ConcordText
import Testing

/// Tokenizers of every kind that are damaged, inconsistent or not supported are refused by name.
@Suite struct BadTokenizerTests {
    /// A change to the good `tokenizer.json` of a kind, and a part of the message it must cause.
    struct BadDocument: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let kind: String
        let message: String
        let change: @Sendable (JSONValue) -> JSONValue

        init(_ kind: String, _ name: String, _ message: String, _ change: @escaping @Sendable (JSONValue) -> JSONValue)
        {
            testDescription = "\(kind): \(name)"
            (self.kind, self.message, self.change) = (kind, message, change)
        }
    }

    static let badDocuments: [BadDocument] = [
        .init("wordpiece-uncased", "not an object", "should be a JSON object") { _ in [1] },
        .init("wordpiece-uncased", "without its unknown token", "the unknown token \"[UNK]\" is not in model.vocab") {
            $0.setting(["added_tokens"], []).setting(["post_processor"], nil).renaming("[UNK]", "[OTHER]")
        },
        .init("t5", "without its unknown token", "the unknown token model.unk_id is null") {
            $0.setting(["model", "unk_id"], .null)
        },
        .init("t5", "unknown token out of range", "the unknown token model.unk_id is 100000") {
            $0.setting(["model", "unk_id"], 100_000)
        },
        .init("gemma", "without its unknown token", "the unknown token \"<other>\" is not in model.vocab") {
            $0.setting(["model", "unk_token"], "<other>")
        },
        .init("gemma", "no unknown token at all", "it has no unknown token, and not every character has a token") {
            $0.setting(["model", "unk_token"], .null).setting(["model", "byte_fallback"], false)
        },
        .init("roberta", "a byte without a token", "it lacks the token \"Ġ\" of byte 32, and has no unknown token") {
            $0.setting(["model", "merges"], []).renaming("Ġ", "<|gone|>")
        },
        .init("wordpiece-uncased", "another model", "model.type is \"WordLevel\", which is not supported") {
            $0.setting(["model", "type"], "WordLevel")
        },
        .init("wordpiece-uncased", "no vocabulary", "model.vocab should be an object") {
            $0.setting(["model", "vocab"], nil)
        },
        .init("wordpiece-uncased", "hole in the ids", "has id 99999, but") {
            $0.setting(["model", "vocab", "[MASK]"], 99_999).setting(["added_tokens"], [])
        },
        .init("wordpiece-uncased", "shared id", "share id 2") {
            $0.setting(["model", "vocab", "[MASK]"], 2).setting(["added_tokens"], [])
        },
        .init("wordpiece-uncased", "huge id", "has id 9223372036854775807, but") {
            $0.setting(["model", "vocab", "[MASK]"], .integer(.max)).setting(["added_tokens"], [])
        },
        .init("t5", "piece without a score", "model.vocab[0] is [\"<pad>\"], not a token and its score") {
            $0.setting(["model", "vocab"], [["<pad>"]])
        },
        .init("t5", "piece listed twice", "token \"a\" is listed twice") {
            $0.setting(["model", "vocab"], [["<pad>", 0], ["</s>", 0], ["<unk>", 0], ["a", -1], ["a", -2]])
        },
        .init("roberta", "merge of unknown tokens", "needs the unknown token \"qq\"") { $0.appendingMerge("qq q") },
        .init("roberta", "merge listed twice", "is listed twice") { document in
            let merges = document["model"]?["merges"]?.elements ?? []
            return document.setting(["model", "merges"], .array(merges + [merges[0]]))
        },
        .init("roberta", "dropout", "model.dropout is 0.1, which is not supported") {
            $0.setting(["model", "dropout"], 0.1)
        },
        .init("roberta", "subword prefix", "model.continuing_subword_prefix is \"##\"") {
            $0.setting(["model", "continuing_subword_prefix"], "##")
        },
        .init("roberta", "fuse_unk is a number", "model.fuse_unk is 1") { $0.setting(["model", "fuse_unk"], 1) },
        .init("roberta", "steps behind the bytes", "pre_tokenizer has steps after ByteLevel") {
            $0.setting(
                ["pre_tokenizer"],
                [
                    "type": "Sequence",
                    "pretokenizers": [["type": "ByteLevel", "add_prefix_space": false], ["type": "WhitespaceSplit"]],
                ])
        },
        .init("t5", "bytes before another model", "pre_tokenizer ByteLevel goes with model.type BPE only") {
            $0.setting(["pre_tokenizer"], ["type": "ByteLevel", "add_prefix_space": false])
        },
        .init("t5", "another normalizer", "normalizer.type is \"ByteLevel\", which is not supported") {
            $0.setting(["normalizer"], ["type": "ByteLevel"])
        },
        .init("t5", "normalizer without a type", "normalizer.type is missing") { $0.setting(["normalizer"], [:]) },
        .init("t5", "an inner normalizer", "normalizer.normalizers[1].type is \"Odd\"") {
            $0.setting(["normalizer"], ["type": "Sequence", "normalizers": [["type": "NFC"], ["type": "Odd"]]])
        },
        .init("t5", "another expression", "normalizer.pattern is {\"Regex\":\"(a|b)\"}, which is not supported") {
            $0.setting(["normalizer"], ["type": "Replace", "pattern": ["Regex": "(a|b)"], "content": ""])
        },
        .init("t5", "character map that is no base64", "the precompiled character map is not base64") {
            $0.setting(["normalizer", "precompiled_charsmap"], "%")
        },
        .init("t5", "character map cut short", "the precompiled character map has 3 bytes") {
            $0.setting(["normalizer", "precompiled_charsmap"], "AAAA")
        },
        .init("t5", "character map with a wrong length", "says that its trie has 196608 bytes, but 2 follow") {
            $0.setting(["normalizer", "precompiled_charsmap"], "AAADAAAA")
        },
        .init("t5", "another pre-tokenizer", "pre_tokenizer.type is \"UnicodeScripts\"") {
            $0.setting(["pre_tokenizer"], ["type": "UnicodeScripts"])
        },
        .init("t5", "Metaspace with two characters", "pre_tokenizer.replacement is \"ab\"") {
            $0.setting(["pre_tokenizer"], ["type": "Metaspace", "replacement": "ab"])
        },
        .init("t5", "Metaspace at odds with itself", "pre_tokenizer.prepend_scheme is \"always\"") {
            $0.setting(
                ["pre_tokenizer"],
                ["type": "Metaspace", "replacement": "▁", "add_prefix_space": false, "prepend_scheme": "always"])
        },
        .init("t5", "odd split behaviour", "pre_tokenizer.behavior is \"Kept\"") {
            $0.setting(["pre_tokenizer"], ["type": "Split", "pattern": ["String": " "], "behavior": "Kept"])
        },
        .init("t5", "another framing", "post_processor.type is \"Odd\"") {
            $0.setting(["post_processor", "type"], "Odd")
        },
        .init("t5", "framing with an id out of range", "the id of </s> is 100000") {
            $0.setting(["post_processor", "special_tokens", "</s>", "ids"], [100_000])
        },
        .init("t5", "framing without the text", "post_processor.single is []") {
            $0.setting(["post_processor", "single"], [])
        },
        .init("roberta", "framing without an id", "post_processor.sep is missing") {
            $0.setting(["post_processor", "sep"], nil)
        },
        .init("t5", "another decoder", "decoder.type is \"CTC\"") { $0.setting(["decoder"], ["type": "CTC"]) },
        .init("t5", "added tokens are no list", "added_tokens should be a list") { $0.setting(["added_tokens"], 1) },
        .init("t5", "added token without an id", "lacks its content or id") {
            $0.setting(["added_tokens"], [["content": "<x>"]])
        },
        .init("t5", "added token with another id", "added token \"</s>\" has id 5, but 1 in model.vocab") {
            $0.setting(["added_tokens"], [["content": "</s>", "id": 5]])
        },
        .init("t5", "added token behind a hole", "token \"<x>\" has id 99999, but") {
            $0.setting(["added_tokens"], [["content": "<x>", "id": 99_999]])
        },
    ]

    @Test(arguments: badDocuments) func refusesDocument(_ bad: BadDocument) throws {
        let document = bad.change(try Golden.json("tokenizers/\(bad.kind)/tokenizer.json"))
        let folder = try TemporaryFolder()
        try folder.write("tokenizer.json", document.text())
        try folder.write("tokenizer_config.json", #"{"pad_token": null}"#)
        expectInvalid(bad.message) { () throws(ConcordError) in try TokenizerFolder.load(folder.path) }
    }

    @Test(arguments: [
        (#"{"pad_token": "<none>"}"#, "the pad token \"<none>\" is not in the vocabulary"),
        (#"{"padding_side": "left"}"#, "padding_side is \"left\"; only \"right\" is supported"),
        (#"{"truncation_side": "left"}"#, "truncation_side is \"left\""),
        (#"{"added_tokens_decoder": {"900": {"content": "<new>"}}}"#, "adds the token \"<new>\" with id 900"),
        ("[]", "tokenizer_config.json: it should be a JSON object"), ("{", "not valid JSON"),
    ]) func refusesSettings(_ settings: String, _ message: String) throws {
        let folder = try TemporaryFolder()
        try folder.write("tokenizer.json", try Files.read(Golden.tokenizerFolder("gemma") + "/tokenizer.json"))
        try folder.write("tokenizer_config.json", settings)
        expectInvalid(message) { () throws(ConcordError) in try TokenizerFolder.load(folder.path) }
    }

    @Test func refusesATokenizerWithoutAPadToken() throws {
        let folder = try TemporaryFolder()
        let document = try Golden.json("tokenizers/wordpiece-uncased/tokenizer.json")
        try folder.write(
            "tokenizer.json",
            document.setting(["added_tokens"], []).renaming("[PAD]", "[NONE]").text())
        expectInvalid("names no pad token; add pad_token to its tokenizer_config.json") { () throws(ConcordError) in
            try TokenizerFolder.load(folder.path)
        }
    }

    @Test(arguments: [
        ("[PAD]\n[CLS]\n[SEP]\na\n", "{}", "the unk_token \"[UNK]\" is not in the vocabulary"),
        ("[PAD]\n[UNK]\n[SEP]\na\n", "{}", "the cls_token \"[CLS]\" is not in the vocabulary"),
        ("[PAD]\n[UNK]\n[CLS]\n[SEP]\na\na\n", "{}", "token \"a\" is listed twice"),
        ("[PAD]\n[UNK]\n[CLS]\n[SEP]\n", #"{"do_lower_case": "yes"}"#, "do_lower_case is \"yes\", not true or false"),
        ("a\n", #"{"tokenizer_class": "MPNetTokenizer"}"#, "tokenizer_class \"MPNetTokenizer\" with a vocab.txt"),
    ]) func refusesVocabularyOfLines(_ lines: String, _ settings: String, _ message: String) throws {
        let folder = try TemporaryFolder()
        try folder.write("vocab.txt", lines)
        try folder.write("tokenizer_config.json", settings)
        expectInvalid(message) { () throws(ConcordError) in try TokenizerFolder.load(folder.path) }
        try folder.write("vocab.txt", [0x61, 0xFF])
        try folder.write("tokenizer_config.json", "{}")
        expectInvalid("is not UTF-8") { () throws(ConcordError) in try TokenizerFolder.load(folder.path) }
    }

    @Test func aFolderWithoutATokenizerIsNamed() throws {
        let folder = try TemporaryFolder()
        let error = #expect(throws: ConcordError.self) { try TokenizerFolder.load(folder.path) }
        #expect(error?.code == .fileSystem && error?.message.contains("\(folder.path) has no tokenizer") == true)
        #expect(throws: ConcordError.self) { try HuggingFaceTokenizer(folder: folder.path) }
        #expect(throws: ConcordError.self) { try SentencePieceTokenizer(folder: folder.path) }
    }

    // MARK: SentencePiece

    @Test(arguments: [
        ("spiece.model", #"{"tokenizer_class": "T5TokenizerFast"}"#, "its tokenizer_class is \"T5Tokenizer\""),
        ("sentencepiece.bpe.model", "{}", "its tokenizer_class is not named, and only SiglipTokenizer"),
        ("spiece.model", #"{"eos_token": "<end>"}"#, "the eos_token \"<end>\" is not in the vocabulary"),
        ("spiece.model", #"{"unk_token": "<none>"}"#, "the unk_token \"<none>\" is not in the vocabulary"),
        (
            "tokenizer.model",
            #"{"tokenizer_class": "SiglipTokenizer", "added_tokens_decoder": {"9": {"content": "<new>"}}}"#,
            "adds the token \"<new>\" with id 9"
        ),
    ]) func refusesAModelOfAnotherFamily(_ name: String, _ settings: String, _ message: String) throws {
        let folder = try TemporaryFolder()
        try folder.write(name, try Files.read(Golden.tokenizerFolder("siglip") + "/spiece.model"))
        try folder.write("tokenizer_config.json", settings)
        expectInvalid(message) { () throws(ConcordError) in try TokenizerFolder.load(folder.path) }
    }

    /// Every damage is an error or gives a model that works: the library behind it must not crash.
    @Test func aDamagedModelIsAnError() throws {
        let good = try Files.read(Golden.tokenizerFolder("siglip") + "/spiece.model")
        let texts = try Golden.strings().prefix(60)
        let folder = try TemporaryFolder()
        var random = RandomSource(seed: 11)
        var refused = 0
        for round in 0..<150 {
            var bytes = good
            if round % 3 == 0 {
                bytes.removeLast(Int.random(in: 1..<good.count, using: &random))
            } else {
                for _ in 0...(round % 5) {
                    bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
            }
            try folder.write("spiece.model", bytes)
            do throws(ConcordError) {
                let tokenizer = try SentencePieceTokenizer(folder: folder.path)
                for text in texts {
                    let ids = tokenizer.encode(text)
                    #expect(ids.allSatisfy { (0..<tokenizer.vocabularySize).contains(Int($0)) })
                    _ = tokenizer.decode(ids)
                }
            } catch {
                #expect(error.code == .invalidTokenizer, "\(error)")
                refused += 1
            }
        }
        #expect(refused > 60)
    }

    @Test(arguments: [
        ([UInt8](), "is empty"), (Array("not a model".utf8), "SentencePiece model"),
        ([0x0A, 0x05, 0x0A], "it ends within a field"), ([0x0A, 0x80], "it ends within a number"),
        ([UInt8](repeating: 0xFF, count: 12), "a number has more than ten bytes"),
        ([0x0B], "a field has the unknown wire type 3"),
        ([0x0A, 0x02, 0x18, 0x09], "a piece is of the unknown type 9"),
        ([0x0A, 0x03, 0x0A, 0x01, 0xFF], "piece 0 is empty, is not UTF-8, or has a score that is no number"),
        ([0x0A, 0x08, 0x0A, 0x01, 0x61, 0x15, 0, 0, 0xC0, 0x7F], "piece 0 is empty"),
        // One good piece, but no unknown one: the library says so.
        ([0x0A, 0x03, 0x0A, 0x01, 0x61], "unk is not defined"),
    ]) func refusesModelBytes(_ bytes: [UInt8], _ message: String) throws {
        let folder = try TemporaryFolder()
        try folder.write("spiece.model", bytes)
        expectInvalid(message) { () throws(ConcordError) in try SentencePieceTokenizer(folder: folder.path) }
    }

    private func expectInvalid(
        _ message: String, sourceLocation: SourceLocation = #_sourceLocation,
        _ load: () throws(ConcordError) -> any Tokenizer
    ) {
        do throws(ConcordError) {
            _ = try load()
            Issue.record("no error; expected: \(message)", sourceLocation: sourceLocation)
        } catch {
            #expect(error.code == .invalidTokenizer, sourceLocation: sourceLocation)
            #expect(error.message.contains(message), "\(error.message)", sourceLocation: sourceLocation)
        }
    }
}
