import ConcordCore
import ConcordTestSupport
import ConcordText
import Testing

@Suite struct TrainerTests {
    /// The whole file equals the one that a plain trainer in Python made, and that Transformers has loaded.
    @Test func writesTheFileThatHuggingFaceLoaded() throws {
        let trained = try BytePairTrainer.train(captions: try Golden.trainingCaptions(), vocabularySize: 800)
        try withTemporaryFolder { folder in
            try trained.write(to: folder, contextLength: 77)
            for name in ["tokenizer.json", "tokenizer_config.json"] {
                #expect(
                    try Files.read(folder + "/" + name) == Files.read(Golden.folder + "/trained/" + name), "\(name)")
            }
            let loaded = try CLIPTokenizer(folder: folder)
            for row in try #require(try Golden.json("trained/ids.json").elements) {
                let text = try #require(row["text"]?.string)
                #expect(trained.encode(text) == row["ids"]?.ids, "\(text)")
                #expect(loaded.encode(text) == row["ids"]?.ids, "\(text)")
            }
        }
    }

    @Test func stopsAtTheSizeOrWhenNothingRepeats() throws {
        let captions = try Golden.trainingCaptions()
        let small = try BytePairTrainer.train(captions: captions, vocabularySize: 600)
        #expect(small.vocabularySize == 600)
        #expect(small.startToken == 598 && small.endToken == 599)
        // "ab" occurs twice, and nothing else does.
        let tiny = try BytePairTrainer.train(captions: ["xab", "yab"], vocabularySize: 5000)
        #expect(tiny.vocabularySize == 515)
        #expect(tiny.token(for: 512) == "ab</w>")
        #expect(try BytePairTrainer.train(captions: [], vocabularySize: 5000).vocabularySize == 514)
    }

    @Test func breaksTiesByTheSmallestIds() throws {
        // Four pairs, each twice; "ab" has the smallest ids.
        let trained = try BytePairTrainer.train(captions: ["cdx cdy", "abx aby"], vocabularySize: 516)
        #expect(trained.token(for: 512) == "ab" && trained.token(for: 513) == "cd")
    }

    @Test func theOrderOfCaptionsDoesNotMatter() throws {
        let captions = try Golden.trainingCaptions()
        let forward = try BytePairTrainer.train(captions: captions, vocabularySize: 700)
        let backward = try BytePairTrainer.train(captions: captions.reversed(), vocabularySize: 700)
        #expect(forward.tokenizerJSON() == backward.tokenizerJSON())
    }

    @Test func learnsFromTextCleanedAsTheModeEncodes() throws {
        let captions = ["caf&eacute; <|endoftext|>", "caf&eacute; <|endoftext|>"]
        let repaired = try BytePairTrainer.train(captions: captions, vocabularySize: 600, mode: .openai)
        #expect(repaired.encode("café").count == 3)
        #expect(repaired.mode == .openai)
        let plain = try BytePairTrainer.train(captions: captions, vocabularySize: 600)
        #expect(plain.encode("caf&eacute;").count == 6)
        // The special token's name is no text to learn from in this mode.
        #expect(plain.encode("endoftext").count > 10)
        #expect(repaired.encode("endoftext").count == 3)
    }

    @Test func refusesAVocabularyTooSmallForTheBytes() {
        let error = #expect(throws: ConcordError.self) {
            try BytePairTrainer.train(captions: ["a"], vocabularySize: 513)
        }
        #expect(error?.code == .invalidConfiguration && error?.message.contains("513") == true)
    }

    @Test func mergesAloneDefineTheSameTokenizer() throws {
        try withTemporaryFolder { folder in
            try Files.replace(folder + "/merges.txt", with: try Files.read(Golden.folder + "/merges.txt"))
            for mode in CLIPTokenizer.Mode.allCases {
                let derived = try CLIPTokenizer(folder: folder, mode: mode)
                #expect(derived.tokenizerJSON() == (try Golden.tokenizer(mode)).tokenizerJSON())
            }
        }
    }
}
