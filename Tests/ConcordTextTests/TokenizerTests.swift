import ConcordCore
import ConcordText
import Testing

@Suite struct TokenizerTests {
    @Test func namesItsSpecialTokens() throws {
        let tokenizer = try Golden.tokenizer(.huggingface)
        #expect(tokenizer.vocabularySize == 2514)
        #expect(tokenizer.startToken == 2512 && tokenizer.endToken == 2513)
        #expect(tokenizer.padToken == 2513)
        #expect(try Golden.tokenizer(.openai).padToken == 0)
        #expect(tokenizer.token(for: 2513) == "<|endoftext|>")
        #expect(tokenizer.token(for: 2514) == nil && tokenizer.token(for: -1) == nil)
    }

    @Test func truncationKeepsTheEndToken() throws {
        let tokenizer = try Golden.tokenizer(.huggingface)
        let full = tokenizer.encode("a photo of a cat on a mat")
        for length in 1..<full.count {
            let (ids, isTruncated) = tokenizer.encode("a photo of a cat on a mat", contextLength: length)
            #expect(isTruncated)
            #expect(ids == Array(full.prefix(length - 1)) + [Int32(tokenizer.endToken)])
        }
        let whole = tokenizer.encode("a photo of a cat on a mat", contextLength: full.count)
        #expect(whole.ids == full && !whole.isTruncated)
        #expect(tokenizer.encode("a", contextLength: 0).ids.isEmpty)
    }

    @Test func batchOfNothingIsEmpty() throws {
        let batch = try Golden.tokenizer(.openai).batch([], contextLength: 77)
        #expect(batch == TokenBatch(rows: [], padToken: 0, truncatedCount: 0))
        #expect(batch.width == 0 && batch.ids.isEmpty)
    }

    @Test func batchIsAsWideAsItsLongestText() throws {
        let tokenizer = try Golden.tokenizer(.huggingface)
        let batch = tokenizer.batch(["", "cat!"], contextLength: 77)
        let long = tokenizer.encode("cat!").map(Int64.init)
        #expect(batch.width == long.count && batch.lengths == [2, long.count])
        #expect(Array(batch.ids.suffix(long.count)) == long)
        #expect(batch.ids.prefix(long.count).dropFirst(2).allSatisfy { $0 == 2513 })
    }

    @Test func decodesWhatItCan() throws {
        let tokenizer = try Golden.tokenizer(.huggingface)
        #expect(tokenizer.decode(tokenizer.encode("Two dogs, 2 cats")) == "two dogs , 2 cats")
        #expect(tokenizer.decode([99_999, -5]).isEmpty)
        // The first byte of a three-byte character alone.
        #expect(tokenizer.decode(Array(tokenizer.encode("\u{A123}")[1..<2])) == "\u{FFFD}")
    }

    /// Every piece is merged by the same rule as by trying each rank in turn.
    @Test func mergesLowestRankFirst() throws {
        let lines = String(decoding: try Files.read(Golden.folder + "/merges.txt"), as: UTF8.self).split(
            separator: "\n")
        let merges = lines.dropFirst().map { $0.split(separator: " ").map(String.init) }
        let tokenizer = try Golden.tokenizer(.huggingface)
        var random = RandomSource(seed: 3)
        for _ in 0..<40 {
            let word = (0..<Int.random(in: 1...30, using: &random)).map { _ in
                "etainos".randomElement(using: &random) ?? "e"
            }
            var symbols = word.map(String.init)
            symbols[symbols.count - 1] += "</w>"
            for merge in merges {
                var position = 0
                while position + 1 < symbols.count {
                    if symbols[position] == merge[0], symbols[position + 1] == merge[1] {
                        symbols.replaceSubrange(position...position + 1, with: [merge[0] + merge[1]])
                    }
                    position += 1
                }
            }
            #expect(tokenizer.encode(String(word)).dropFirst().dropLast().map { tokenizer.token(for: $0) } == symbols)
        }
    }
}
