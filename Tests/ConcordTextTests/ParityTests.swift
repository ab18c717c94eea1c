import ConcordCore
import ConcordText
import Testing

/// Ids equal the peers' on all adversarial strings.
@Suite struct ParityTests {
    /// Strings in which ftfy guesses a wrong encoding, with an effect on the ids: of `stringCount`, so 2.9 %.
    static let guessedCount = 12
    static let stringCount = 410

    @Test func huggingFaceIdsAreEqual() throws {
        let tokenizer = try Golden.tokenizer(.huggingface)
        for row in try #require(try Golden.json("strings.json").elements) {
            let text = try #require(row["text"]?.string)
            #expect(tokenizer.encode(text) == row["huggingface"]?.ids, "\(text.prefix(200).debugDescription)")
        }
    }

    @Test func openCLIPIdsAreEqualButForGuessedEncodings() throws {
        let tokenizer = try Golden.tokenizer(.openai)
        let rows = try #require(try Golden.json("strings.json").elements)
        var guessed = 0
        for row in rows {
            let text = try #require(row["text"]?.string)
            let ids = tokenizer.encode(text)
            // The golden file has a second list where ftfy's guessing, which we leave out, changes the ids.
            #expect(
                ids == (row["openaiWithoutGuessing"] ?? row["openai"])?.ids, "\(text.prefix(200).debugDescription)")
            if ids != row["openai"]?.ids { guessed += 1 }
        }
        #expect(guessed == Self.guessedCount)
        #expect(rows.count == Self.stringCount)
    }

    @Test func decodedTextIsEqual() throws {
        let tokenizers = try CLIPTokenizer.Mode.allCases.map(Golden.tokenizer)
        for row in try #require(try Golden.json("strings.json").elements) {
            for tokenizer in tokenizers {
                guard let decoded = row["\(tokenizer.mode.rawValue)Decoded"]?.string,
                    let ids = row[tokenizer.mode.rawValue]?.ids
                else { continue }
                #expect(Array(tokenizer.decode(ids).unicodeScalars) == Array(decoded.unicodeScalars))
            }
        }
    }

    @Test(arguments: CLIPTokenizer.Mode.allCases)
    func batchIsPaddedAndTruncatedAsByThePeer(_ mode: CLIPTokenizer.Mode) throws {
        let golden = try Golden.json("batch.json")
        let texts = try #require(golden["texts"]?.elements).compactMap(\.string)
        let contextLength = try #require(golden["contextLength"]?.int)
        let tokenizer = try Golden.tokenizer(mode)
        let batch = tokenizer.batch(texts, contextLength: contextLength)
        let rows = try #require(golden[mode.rawValue]?.elements).map { $0.ids.map(Int64.init) }
        #expect(batch.width == contextLength)
        #expect(batch.ids == rows.flatMap { $0 })
        if mode == .huggingface { #expect(batch.lengths.map { Int32($0) } == golden["lengths"]?.ids) }
        let full = texts.map { tokenizer.encode($0) }
        #expect(batch.truncatedCount == full.count { $0.count > contextLength })
        #expect(batch.truncatedCount > 1)
        #expect(zip(batch.lengths, full).allSatisfy { $0 == min($1.count, contextLength) })
    }

    @Test func aSecondPassThroughTheCacheGivesTheSameIds() async throws {
        let tokenizer = try Golden.tokenizer(.huggingface)
        let texts = try #require(try Golden.json("strings.json").elements).compactMap { $0["text"]?.string }
        let first = texts.map { tokenizer.encode($0) }
        await withTaskGroup(of: [[Int32]].self) { group in
            for _ in 0..<4 { group.addTask { texts.map { tokenizer.encode($0) } } }
            for await again in group { #expect(again == first) }
        }
    }
}
