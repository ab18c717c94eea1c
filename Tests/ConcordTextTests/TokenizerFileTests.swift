import ConcordCore
import ConcordTestSupport
import ConcordText
import Testing

/// Every kind of bad tokenizer file is refused with an error that names what is wrong.
@Suite struct TokenizerFileTests {
    /// A change to the good `tokenizer.json`, and a part of the message it must cause.
    struct BadDocument: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let message: String
        let change: @Sendable (JSONValue) -> JSONValue

        init(_ name: String, _ message: String, _ change: @escaping @Sendable (JSONValue) -> JSONValue) {
            (testDescription, self.message, self.change) = (name, message, change)
        }
    }

    static let badDocuments: [BadDocument] = [
        .init("not an object", "should be a JSON object") { _ in [1, 2] },
        .init("no model", "model.vocab should be an object") { $0.setting(["model"], nil) },
        .init("vocabulary is a list", "model.vocab should be an object") { $0.setting(["model", "vocab"], []) },
        .init("merges are a string", "model.merges should be a list") { $0.setting(["model", "merges"], "a b") },
        .init("another model", "model.type is \"WordPiece\"") { $0.setting(["model", "type"], "WordPiece") },
        .init("dropout", "model.dropout is 0.1") { $0.setting(["model", "dropout"], 0.1) },
        .init("another word end", "model.end_of_word_suffix is \"@\"") {
            $0.setting(["model", "end_of_word_suffix"], "@")
        },
        .init("subword prefix", "continuing_subword_prefix is \"##\"") {
            $0.setting(["model", "continuing_subword_prefix"], "##")
        },
        .init("fused unknowns", "model.fuse_unk is true") { $0.setting(["model", "fuse_unk"], true) },
        .init("byte fallback", "model.byte_fallback is true") { $0.setting(["model", "byte_fallback"], true) },
        .init("ignored merges", "model.ignore_merges is true") { $0.setting(["model", "ignore_merges"], true) },
        .init("id is a string", "the id of \"a\" is not an integer") { $0.setting(["model", "vocab", "a"], "64") },
        .init("id is a fraction", "the id of \"a\" is not an integer") { $0.setting(["model", "vocab", "a"], 64.5) },
        .init("negative id", "token \"a\" has id -1") { $0.setting(["model", "vocab", "a"], -1) },
        .init("gap in ids", "token \"a\" has id 99999, but") { $0.setting(["model", "vocab", "a"], 99_999) },
        .init("shared id", "share id 65") { $0.setting(["model", "vocab", "a"], 65) },
        .init("token listed twice", "token \"a\" is listed twice") { document in
            let members = document["model"]?["vocab"]?.members ?? []
            return document.setting(
                ["model", "vocab"], .object(members + [.init("a", .integer(members.count))]))
        },
        .init("no special tokens", "it lacks the tokens <|startoftext|> and <|endoftext|>") {
            $0.setting(["added_tokens"], []).renaming("<|endoftext|>", "<|end|>")
        },
        .init("merge of an unknown symbol", "(\"zq xx\") uses the unknown token \"zq\"") {
            $0.appendingMerge("zq xx")
        },
        .init("merge of a symbol made later", "which no earlier merge makes") { document in
            document.setting(["model", "merges"], .array((document["model"]?["merges"]?.elements ?? []).reversed()))
        },
        .init("merge makes no token", "makes \"zq\", which is not in the vocabulary") { $0.appendingMerge("z q") },
        .init("merge listed twice", "which is there already") { document in
            let merges = document["model"]?["merges"]?.elements ?? []
            return document.setting(["model", "merges"], .array(merges + [merges[0]]))
        },
        .init("merge of three", "\"a b c\" is not a merge of two symbols") { $0.appendingMerge("a b c") },
        .init("merge of one", "\"ab\" is not a merge of two symbols") { $0.appendingMerge("ab") },
        .init("merge of a number", "is not a pair of strings") { document in
            document.setting(["model", "merges"], .array((document["model"]?["merges"]?.elements ?? []) + [[1, 2]]))
        },
        .init("no normalizer", "normalizer is null") { $0.setting(["normalizer"], nil) },
        .init("another normalizer", "only CLIP's is supported") {
            $0.setting(["normalizer"], ["type": "BertNormalizer", "lowercase": true])
        },
        .init("no splitting", "pre_tokenizer is null") { $0.setting(["pre_tokenizer"], nil) },
        .init("another split pattern", "the split pattern is") {
            $0.setting(
                ["pre_tokenizer", "pretokenizers"],
                [
                    ["type": "Split", "pattern": ["Regex": "\\w+"], "behavior": "Removed", "invert": true],
                    ["type": "ByteLevel", "add_prefix_space": false],
                ])
        },
        .init("prefix space", "add_prefix_space is true") { document in
            let split = document["pre_tokenizer"]?["pretokenizers"]?.elements?[0] ?? .null
            return document.setting(
                ["pre_tokenizer", "pretokenizers"], [split, ["type": "ByteLevel", "add_prefix_space": true]])
        },
        .init("another framing", "post_processor.type is \"BertProcessing\"") {
            $0.setting(["post_processor", "type"], "BertProcessing")
        },
        .init("framing with another token", "post_processor.sep is [\"a\", 64]") {
            $0.setting(["post_processor", "sep"], ["a", 64])
        },
        .init("added tokens are no list", "added_tokens should be a list") { $0.setting(["added_tokens"], true) },
        .init("added token without id", "lacks its content or id") {
            $0.setting(["added_tokens"], [["content": "<|endoftext|>"]])
        },
        .init("added token with another id", "has id 5, but another in model.vocab") {
            $0.setting(["added_tokens"], [["content": "<|endoftext|>", "id": 5]])
        },
        .init("one more added token", "added token \"<pad>\" is neither the start nor the end token") { document in
            let count = document["model"]?["vocab"]?.members?.count ?? 0
            return document.setting(["added_tokens"], [["content": "<pad>", "id": .integer(count)]])
        },
        .init("added token that strips", "lstrip of \"<|endoftext|>\" is true") {
            $0.setting(["added_tokens"], [["content": "<|endoftext|>", "id": 5, "lstrip": true]])
        },
    ]

    @Test(arguments: badDocuments) func refusesDocument(_ bad: BadDocument) throws {
        let document = bad.change(try Golden.json("trained/tokenizer.json"))
        try withTemporaryFolder { folder in
            let path = folder + "/tokenizer.json"
            try Files.replace(path, with: document.text())
            expectInvalid(path, bad.message) { () throws(ConcordError) in try CLIPTokenizer(folder: folder) }
        }
    }

    @Test func refusesWhatIsNotJSON() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/tokenizer.json"
            let files: [([UInt8], String)] = [
                ([], "is empty"), (Array("{\"model\":".utf8), "not valid JSON"),
                ([0x7B, 0xFF, 0x7D], "not valid JSON"),
            ]
            for (bytes, message) in files {
                try Files.replace(path, with: bytes)
                expectInvalid(path, message) { () throws(ConcordError) in try CLIPTokenizer(folder: folder) }
            }
        }
    }

    @Test func refusesBadMergesFiles() throws {
        let vocabulary = Golden.folder + "/vocab.json"
        let good = String(decoding: try Files.read(Golden.folder + "/merges.txt"), as: UTF8.self)
        let cases: [(merges: String, message: String)] = [
            ("#version: 0.2\ni\n", "line 2: \"i\" is not a merge"),
            ("#version: 0.2\n\ni n\n", "line 2: \"\" is not a merge"),
            ("#version: 0.2\ni  n\n", "is not a merge of two symbols"),
            ("#version: 0.2\nq q\n", "makes \"qq\", which is not in the vocabulary"),
            (good + "猫 q\n", "uses the unknown token \"猫\""),
        ]
        try withTemporaryFolder { folder in
            let merges = folder + "/merges.txt"
            for (text, message) in cases {
                try Files.replace(merges, with: text)
                expectInvalid(nil, message) { () throws(ConcordError) in
                    try CLIPTokenizer(vocabulary: vocabulary, merges: merges)
                }
            }
            try Files.replace(merges, with: [0x61, 0x20, 0xFF])
            expectInvalid(merges, "is not UTF-8") { () throws(ConcordError) in try CLIPTokenizer(folder: folder) }
        }
    }

    @Test func refusesAVocabularyWithoutAByteWhereThePeerWould() throws {
        let document = try Golden.json("trained/tokenizer.json")
        let members = try #require(document["model"]?["vocab"]?.members)
        // Drop the byte 0xFF at a word's end, and close the gap that it leaves.
        let gone = try #require(members.first { $0.name == "ÿ</w>" }?.value.int)
        let kept = members.filter { $0.value.int != gone }.map { member in
            JSONValue.Member(member.name, .integer((member.value.int ?? 0) - ((member.value.int ?? 0) > gone ? 1 : 0)))
        }
        let changed = document.setting(["model", "vocab"], .object(kept)).setting(["added_tokens"], [])
            .setting(["post_processor"], nil)
        try withTemporaryFolder { folder in
            let path = folder + "/tokenizer.json"
            try Files.replace(path, with: changed.text())
            expectInvalid(path, "it lacks the token \"ÿ</w>\" of byte 255") { () throws(ConcordError) in
                try CLIPTokenizer(folder: folder, mode: .openai)
            }
            // Hugging Face's BPE takes the unknown token for such a byte; no UTF-8 text has this one.
            #expect(try CLIPTokenizer(folder: folder).encode("cat").count > 2)
            try Files.replace(path, with: changed.setting(["model", "unk_token"], nil).text())
            expectInvalid(path, "has no unknown token") { () throws(ConcordError) in try CLIPTokenizer(folder: folder) }
        }
    }

    @Test func missingFilesAreNamed() throws {
        try withTemporaryFolder { folder in
            let error = #expect(throws: ConcordError.self) { try CLIPTokenizer(folder: folder) }
            #expect(error?.code == .fileSystem && error?.message.contains(folder) == true)
            try Files.replace(folder + "/vocab.json", with: try Files.read(Golden.folder + "/vocab.json"))
            let second = #expect(throws: ConcordError.self) { try CLIPTokenizer(folder: folder) }
            #expect(second?.code == .fileSystem && second?.message.contains("merges.txt") == true)
        }
    }

    /// Older files: merges as pairs, `normalized` special tokens, a pattern without the special names.
    @Test func readsOtherSpellingsOfTheFormat() throws {
        let document = try Golden.json("trained/tokenizer.json")
        let base = try CLIPTokenizer(folder: Golden.folder + "/trained")
        let merges = try #require(document["model"]?["merges"]?.elements).map { merge in
            JSONValue.array((merge.string ?? "").split(separator: " ").map { .string(String($0)) })
        }
        let added = try #require(document["added_tokens"]?.elements).map { $0.setting(["normalized"], true) }
        let split: JSONValue = [
            "type": "Split",
            "pattern": ["Regex": #"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"#],
            "behavior": "Removed", "invert": true,
        ]
        func load(_ document: JSONValue) throws -> CLIPTokenizer {
            try withTemporaryFolder { folder in
                try Files.replace(folder + "/tokenizer.json", with: document.text())
                return try CLIPTokenizer(folder: folder)
            }
        }
        let pairs = try load(document.setting(["model", "merges"], .array(merges)))
        #expect(pairs.encode("a red cat") == base.encode("a red cat"))

        let capitals = "<|ENDOFTEXT|>!"
        #expect(base.decode(base.encode(capitals)) == "<| endoftext |> !")
        let normalized = try load(document.setting(["added_tokens"], .array(added)))
        #expect(normalized.encode(capitals)[1] == Int32(base.endToken))
        let plainPattern = try load(
            document.setting(
                ["pre_tokenizer", "pretokenizers"], [split, ["type": "ByteLevel", "add_prefix_space": false]]))
        #expect(plainPattern.decode(plainPattern.encode(capitals)) == "<| endoftext |>!")
    }

    private func expectInvalid(
        _ path: String?, _ message: String, sourceLocation: SourceLocation = #_sourceLocation,
        _ load: () throws(ConcordError) -> CLIPTokenizer
    ) {
        do throws(ConcordError) {
            _ = try load()
            Issue.record("no error; expected: \(message)", sourceLocation: sourceLocation)
        } catch {
            #expect(error.code == .invalidTokenizer, sourceLocation: sourceLocation)
            #expect(error.message.contains(message), "\(error.message)", sourceLocation: sourceLocation)
            if let path { #expect(error.message.contains(path), sourceLocation: sourceLocation) }
        }
    }
}

extension JSONValue {
    /// A copy with the member at a path replaced, added, or removed when `value` is nil.
    func setting(_ path: ArraySlice<String>, _ value: JSONValue?) -> JSONValue {
        guard let name = path.first else { return value ?? .null }
        var members = members ?? []
        let inner = path.dropFirst()
        let index = members.firstIndex { $0.name == name }
        if inner.isEmpty, value == nil {
            if let index { members.remove(at: index) }
        } else {
            let replacement = Member(name, (self[name] ?? .null).setting(inner, value))
            if let index { members[index] = replacement } else { members.append(replacement) }
        }
        return .object(members)
    }

    func setting(_ path: [String], _ value: JSONValue?) -> JSONValue { setting(path[...], value) }

    /// A copy with a token of the vocabulary renamed.
    func renaming(_ old: String, _ new: String) -> JSONValue {
        let members = self["model"]?["vocab"]?.members ?? []
        return setting(
            ["model", "vocab"], .object(members.map { $0.name == old ? .init(new, $0.value) : $0 }))
    }

    /// A copy with one more merge.
    func appendingMerge(_ merge: String) -> JSONValue {
        setting(["model", "merges"], .array((self["model"]?["merges"]?.elements ?? []) + [.string(merge)]))
    }
}
