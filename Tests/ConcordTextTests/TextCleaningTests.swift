import ConcordCore
import ConcordText
import Testing

/// open_clip's cleaning, and the batches that its wrapper of Hugging Face's tokenizers makes.
@Suite struct TextCleaningTests {
    /// Each level is undone by a pass over the whole text: passes without a limit took hours for a text of this kind.
    @Test func textsThatWereEscapedWithoutEnd() {
        func escaped(_ levels: Int) -> String { "&" + String(repeating: "amp;", count: levels) }
        #expect(TextCleaning.whitespace.cleaned(escaped(16)) == "&")
        let cleaned = TextCleaning.whitespace.cleaned(escaped(100_000))
        #expect(cleaned == escaped(100_000 - 18))
    }

    @Test(arguments: TextCleaning.allCases) func cleanedTextsAreEqual(_ cleaning: TextCleaning) throws {
        let texts = try Golden.strings()
        guard cleaning != .none else {
            #expect(texts.allSatisfy { cleaning.cleaned($0).utf8.elementsEqual($0.utf8) })
            return
        }
        guard cleaning != .lowercase else {
            // Not open_clip's: Python's `str.lower` alone, which knows the sigma at a word's end.
            #expect(cleaning.cleaned("  ΟΔΟΣ &amp; Ca\u{FB01} ") == "  οδος &amp; ca\u{FB01} ")
            return
        }
        let golden = try #require(try Golden.json("tokenizers/open-clip.json")["cleanings"]?[cleaning.rawValue]?.string)
        let digests = Golden.digests(texts.map { Array(cleaning.cleaned($0).utf8) })
        #expect(digests.count == Golden.split(golden).count)
        for (index, pair) in zip(digests, Golden.split(golden)).enumerated() {
            #expect(pair.0 == pair.1, "\(cleaning): \(texts[index].prefix(200).debugDescription)")
        }
    }

    @Test func batchesAreEqual() throws {
        let golden = try Golden.json("tokenizers/open-clip.json")
        let texts = try #require(golden["texts"]?.elements).compactMap(\.string)
        let contextLength = try #require(golden["contextLength"]?.int)
        for row in try #require(golden["batches"]?.elements) {
            let base = try TokenizerFolder.load(Golden.tokenizerFolder(try #require(row["folder"]?.string)))
            let separator = row["stripsSeparator"] == true ? base.encode("").last : nil
            let tokenizer = CleaningTokenizer(
                base, cleaning: try #require(row["clean"]?.string.flatMap(TextCleaning.init)), strippedToken: separator)
            let batch = tokenizer.batch(texts, contextLength: contextLength, padsToContext: true)
            #expect(batch.ids == (row["ids"]?.elements ?? []).flatMap { $0.ids.map(Int64.init) })
            #expect(tokenizer.padToken == base.padToken && tokenizer.vocabularySize == base.vocabularySize)
            #expect(tokenizer.token(for: 3) == base.token(for: 3) && tokenizer.decode([5]) == base.decode([5]))
        }
    }
}
