import ConcordCore
import ConcordTestSupport
import ConcordText
import Testing

/// Every kind of tokenizer gives the ids of its peer on all adversarial strings.
@Suite struct TokenizerKindTests {
    static let kinds = ["wordpiece-uncased", "wordpiece-cased", "roberta", "gemma", "siglip", "t5"]

    @Test(arguments: kinds) func idsAndDecodedTextsAreEqual(_ kind: String) throws {
        let tokenizer = try TokenizerFolder.load(Golden.tokenizerFolder(kind))
        #expect((kind == "siglip") == (tokenizer is SentencePieceTokenizer))
        #expect((kind != "siglip") == (tokenizer is HuggingFaceTokenizer))
        try expectIDs(of: tokenizer, kind)
    }

    /// The same tokenizer from `vocab.txt` instead of `tokenizer.json`.
    @Test(arguments: ["wordpiece-uncased", "wordpiece-cased"])
    func vocabularyOfLinesIsReadAsByBertTokenizer(_ kind: String) throws {
        let folder = try TemporaryFolder()
        try folder.write("vocab.txt", try Files.read(Golden.tokenizerFolder(kind) + "/vocab.txt"))
        if kind == "wordpiece-cased" {
            try folder.write(
                "tokenizer_config.json", #"{"tokenizer_class": "BertTokenizerFast", "do_lower_case": false}"#)
        }
        try expectIDs(of: try TokenizerFolder.load(folder.path), kind)
    }

    @Test func windowsLineEndsOfAVocabularyDoNotCount() throws {
        let folder = try TemporaryFolder()
        let lines = try Files.read(Golden.tokenizerFolder("wordpiece-uncased") + "/vocab.txt")
        try folder.write(
            "vocab.txt", String(decoding: lines, as: UTF8.self).split(separator: "\n").joined(separator: "\r\n"))
        let tokenizer = try TokenizerFolder.load(folder.path)
        let original = try TokenizerFolder.load(Golden.tokenizerFolder("wordpiece-uncased"))
        #expect(tokenizer.vocabularySize == original.vocabularySize)
        #expect(tokenizer.encode("a red cat") == original.encode("a red cat"))
    }

    @Test func caseIsKeptWhereTheConfigurationSaysSo() throws {
        let folder = try TemporaryFolder()
        let source = Golden.tokenizerFolder("siglip")
        try folder.write("spiece.model", try Files.read(source + "/spiece.model"))
        try folder.write(
            "tokenizer_config.json", #"{"tokenizer_class": "SiglipTokenizer", "do_lower_case": false}"#)
        // transformers reads the model file, whatever lies beside it.
        try folder.write("tokenizer.json", "{}")
        let tokenizer = try TokenizerFolder.load(folder.path)
        let expected = try #require(try Golden.json("tokenizers/siglip/expected.json")["cased"]?.string)
        try expectDigests(of: tokenizer, expected, "cased")
        #expect(tokenizer.encode("A cat") != (try TokenizerFolder.load(source)).encode("A cat"))
    }

    /// The vocabulary of T5 with the steps that other versions and families put before it.
    @Test func otherUnigramPipelinesAreEqual() throws {
        let document = try Golden.json("tokenizers/t5/tokenizer.json")
        let map = try #require(document["normalizer"]?["precompiled_charsmap"])
        for variant in try #require(try Golden.json("tokenizers/t5/variants.json").elements) {
            let steps = try #require(variant["normalizer"]?["normalizers"]?.elements).map { step in
                step["type"] == "Precompiled" ? step.setting(["precompiled_charsmap"], map) : step
            }
            let changed = document.setting(["normalizer"], ["type": "Sequence", "normalizers": .array(steps)])
                .setting(["pre_tokenizer"], variant["pre_tokenizer"])
            let tokenizer = try Golden.pipeline(changed)
            try expectDigests(
                of: tokenizer, try #require(variant["digests"]?.string), variant["name"]?.string ?? "", every: 4)
        }
    }

    /// Each step by itself and in odd combinations, before a model that shows what they made of the text.
    @Test func everyStepIsEqual() throws {
        var vocabulary = (0..<256).map { byte in
            let digits = String(byte, radix: 16, uppercase: true)
            return JSONValue.Member("<0x\(digits.count < 2 ? "0" : "")\(digits)>", .integer(byte))
        }
        vocabulary.append(.init("<unk>", 256))
        let model: JSONValue = [
            "type": "BPE", "unk_token": "<unk>", "end_of_word_suffix": "|", "byte_fallback": true,
            "vocab": .object(vocabulary), "merges": [],
        ]
        let rows = try #require(try Golden.json("tokenizers/steps.json").elements)
        #expect(rows.count == 24)
        for row in rows {
            let tokenizer = try Golden.pipeline(
                try #require(row["document"]).setting(["model"], model), settings: #"{"pad_token": "<unk>"}"#)
            try expectDigests(of: tokenizer, try #require(row["digests"]?.string), row["name"]?.string ?? "", every: 4)
        }
    }

    @Test(arguments: kinds) func batchIsPaddedAndCutAsByThePeer(_ kind: String) throws {
        let tokenizer = try TokenizerFolder.load(Golden.tokenizerFolder(kind))
        let golden = try #require(try Golden.json("tokenizers/\(kind)/expected.json")["batch"])
        let texts = try #require(golden["texts"]?.elements).compactMap(\.string)
        let contextLength = try #require(golden["contextLength"]?.int)
        let batch = tokenizer.batch(texts, contextLength: contextLength)
        let rows = try #require(golden["ids"]?.elements).map { $0.ids.map(Int64.init) }
        #expect(batch.ids == rows.flatMap { $0 })
        #expect(batch.width == rows[0].count && batch.truncatedCount > 1)
        #expect(batch.lengths.map { Int32($0) } == golden["lengths"]?.ids)
        #expect(tokenizer.padToken == golden["padToken"]?.int)
        let wide = tokenizer.batch(["a cat"], contextLength: 30, padsToContext: true)
        #expect(wide.width == 30 && wide.ids.count == 30 && wide.lengths[0] < 30)
        #expect(wide.ids[wide.lengths[0]...].allSatisfy { $0 == Int64(tokenizer.padToken) })
    }

    @Test(arguments: kinds) func aCutTextKeepsWhatEndsIt(_ kind: String) throws {
        let tokenizer = try TokenizerFolder.load(Golden.tokenizerFolder(kind))
        let whole = tokenizer.encode("a photo of a cat on a mat")
        let end = try #require(whole.last)
        for length in 1...whole.count {
            let (ids, isTruncated) = tokenizer.encode("a photo of a cat on a mat", contextLength: length)
            #expect(ids.count == length && ids.last == end && isTruncated == (length < whole.count))
            if length > 2 { #expect(ids.dropLast() == whole.prefix(length - 1)) }
        }
        #expect(tokenizer.encode("a photo", contextLength: 0).ids.isEmpty)
        #expect(tokenizer.batch([], contextLength: 9, padsToContext: true).ids.isEmpty)
    }

    /// What is written is what was read, byte for byte, and reads back as the same tokenizer.
    @Test(arguments: kinds + ["vocab.txt", "spiece.model"]) func writesItsFilesAsTheyWere(_ kind: String) throws {
        let source = try TemporaryFolder()
        let lone = ["vocab.txt": "wordpiece-uncased", "spiece.model": "siglip"][kind]
        let names = lone == nil ? ["tokenizer.json", "spiece.model", "vocab.txt", "tokenizer_config.json"] : [kind]
        let golden = Golden.tokenizerFolder(lone ?? kind)
        for name in names where Files.exists(golden + "/" + name) {
            try source.write(name, try Files.read(golden + "/" + name))
        }
        let tokenizer = try TokenizerFolder.load(source.path)
        let target = try TemporaryFolder()
        try tokenizer.write(to: target.path + "/deeper", contextLength: 32)
        for name in names where Files.exists(source.path + "/" + name) {
            #expect(try Files.read(target.path + "/deeper/" + name) == Files.read(source.path + "/" + name), "\(name)")
        }
        let again = try TokenizerFolder.load(target.path + "/deeper")
        #expect(again.padToken == tokenizer.padToken && again.vocabularySize == tokenizer.vocabularySize)
        for text in try Golden.strings().prefix(100) { #expect(again.encode(text) == tokenizer.encode(text)) }
    }

    @Test func aPassThroughTheCacheFromSeveralThreadsGivesTheSameIDs() async throws {
        let texts = try Golden.strings()
        for kind in Self.kinds {
            let tokenizer = try TokenizerFolder.load(Golden.tokenizerFolder(kind))
            let first = texts.map { tokenizer.encode($0) }
            await withTaskGroup(of: [[Int32]].self) { group in
                for _ in 0..<4 { group.addTask { texts.map { tokenizer.encode($0) } } }
                for await again in group { #expect(again == first) }
            }
        }
    }

    @Test func namesItsTokens() throws {
        let tokenizer = try TokenizerFolder.load(Golden.tokenizerFolder("roberta"))
        #expect(tokenizer.token(for: 0) == "<s>" && tokenizer.token(for: Int32(tokenizer.vocabularySize)) == nil)
        #expect(tokenizer.token(for: -1) == nil)
        #expect(tokenizer.decode([0, 99_999, -4, 2]).isEmpty)
        let pieces = try TokenizerFolder.load(Golden.tokenizerFolder("siglip"))
        #expect(pieces.token(for: 1) == "</s>" && pieces.token(for: 99_999) == nil && pieces.padToken == 1)
        #expect(pieces.decode([1, 99_999, -4]).isEmpty)
    }

    @Test func choosesCLIPsOwnForItsPipeline() throws {
        let trained = try TokenizerFolder.load(Golden.folder + "/trained", mode: .openai)
        #expect((trained as? CLIPTokenizer)?.mode == .openai)
        let folder = try TemporaryFolder()
        for name in ["vocab.json", "merges.txt"] { try folder.write(name, try Files.read(Golden.folder + "/" + name)) }
        #expect(try TokenizerFolder.load(folder.path) is CLIPTokenizer)
        // One more added token, and it is a pipeline like any other, with the same ids.
        let document = try Golden.json("trained/tokenizer.json")
        let count = trained.vocabularySize
        let added =
            (document["added_tokens"]?.elements ?? []) + [
                ["id": .integer(count), "content": "<pad>", "special": true, "normalized": false]
            ]
        let pipeline = try Golden.pipeline(document.setting(["added_tokens"], .array(added)))
        #expect(pipeline.padToken == count)
        for row in try #require(try Golden.json("trained/ids.json").elements) {
            #expect(pipeline.encode(try #require(row["text"]?.string)) == row["ids"]?.ids)
        }
    }

    private func expectIDs(of tokenizer: any Tokenizer, _ kind: String) throws {
        let golden = try Golden.json("tokenizers/\(kind)/expected.json")
        let texts = try Golden.strings()
        for (text, row) in zip(texts, try #require(golden["ids"]?.elements)) {
            #expect(tokenizer.encode(text) == row.ids, "\(kind): \(text.debugDescription)")
        }
        try expectDigests(of: tokenizer, try #require(golden["digests"]?.string), kind)
        let decoded = Golden.digests(texts.map { Array(tokenizer.decode(tokenizer.encode($0)).utf8) })
        for (index, pair) in zip(decoded, Golden.split(try #require(golden["decoded"]?.string))).enumerated() {
            #expect(pair.0 == pair.1, "\(kind), decoded: \(texts[index].prefix(200).debugDescription)")
        }
    }

    /// Compares ids with their digests, of which there is one for each `count` strings.
    private func expectDigests(
        of tokenizer: any Tokenizer, _ expected: String, _ name: String, every count: Int = 1
    ) throws {
        let texts = try Golden.strings()
        #expect(texts.count == ParityTests.stringCount && texts.count % count == 0)
        let groups = stride(from: 0, to: texts.count, by: count).map { Array(texts[$0..<$0 + count]) }
        let digests = Golden.digests(groups.map { $0.flatMap { Golden.bytes(of: tokenizer.encode($0)) } })
        let goldens = Golden.split(expected)
        #expect(goldens.count == groups.count)
        for (group, pair) in zip(groups, zip(digests, goldens)) {
            #expect(pair.0 == pair.1, "\(name): \(group.map { String($0.prefix(200)) })")
        }
    }
}
