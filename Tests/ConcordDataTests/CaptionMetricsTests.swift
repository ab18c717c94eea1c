import ConcordCore
import ConcordData
import ConcordTestSupport
import Testing

@Suite struct CaptionMetricsTests {
    // MARK: Against pycocoevalcap

    private struct GoldenPictures {
        let document: JSONValue

        init() throws { document = try Golden.json("captions", "scores.json") }

        func texts(of id: String) throws -> (candidate: String, references: [String]) {
            let picture = try #require(document["pictures"]?[id])
            return (
                try #require(picture["candidate"]?.string),
                try #require(picture["references"]?.elements).compactMap(\.string)
            )
        }

        /// BLEU-1 to BLEU-4, CIDEr-D and ROUGE-L.
        func scores(_ value: JSONValue) throws -> [Double] {
            let bleu = try #require(value["bleu"]?.elements).compactMap(\.double)
            return bleu + [try #require(value["cider"]?.double), try #require(value["rouge_l"]?.double)]
        }
    }

    private func scores(_ scores: CaptionScores) -> [Double] {
        [scores.bleu1, scores.bleu2, scores.bleu3, scores.bleu4, scores.cider, scores.rougeL]
    }

    @Test(arguments: ["all", "few, in another order", "one", "empty"])
    func equalsPeer(set name: String) throws {
        let golden = try GoldenPictures()
        let set = try #require(golden.document["sets"]?[name])
        let ids = try #require(set["ids"]?.elements).compactMap(\.string)
        let texts = try ids.map(golden.texts(of:))
        let expected = try #require(set["each"]?.elements)
        #expect(ids.count == expected.count && !ids.isEmpty)
        // The texts are tokens with spaces between; the tokenizer must leave them so.
        for tokenize in [MetricTokenizer.tokens(of:), { $0.split(separator: " ").map(String.init) }] {
            let metrics = try CaptionMetrics(
                ids: ids, candidates: texts.map(\.candidate), references: texts.map(\.references), tokenize: tokenize)
            // Relative, because the peer's BLEU of captions that miss is small and not 0.
            expectClose(scores(metrics.overall), try golden.scores(set), absolute: 0, relative: 1e-12, "overall")
            #expect(metrics.captions.map(\.id) == ids)
            for (caption, expected) in zip(metrics.captions, expected) {
                expectClose(
                    scores(caption.scores), try golden.scores(expected), absolute: 0, relative: 1e-12, caption.id)
            }
        }
    }

    @Test func goldenFileHoldsWhatItShould() throws {
        let golden = try GoldenPictures()
        let ids = try #require(golden.document["pictures"]?.members).map(\.name)
        let counts = Set(try ids.map { try golden.texts(of: $0).references.count })
        #expect(ids.count >= 12)
        #expect(counts.isSuperset(of: [1, 2, 3, 5]))
    }

    // MARK: METEOR and exact matches

    private func one(_ candidate: String, _ references: String...) throws -> CaptionScores {
        try CaptionMetrics(ids: ["x"], candidates: [candidate], references: [references]).overall
    }

    /// F and penalty by hand.
    private func meteor(matches: Double, candidate: Double, reference: Double, chunks: Double) -> Double {
        let precision = matches / candidate, recall = matches / reference
        let penalty = 0.5 * (chunks / matches) * (chunks / matches) * (chunks / matches)
        return 10 * precision * recall / (recall + 9 * precision) * (1 - penalty)
    }

    @Test func exactMETEORByHand() throws {
        let cases: [(String, String, Double)] = [
            ("a dog runs", "a dog runs", meteor(matches: 3, candidate: 3, reference: 3, chunks: 1)),
            ("dog", "dog", 0.5),
            ("cats", "dogs run", 0),
            ("", "dogs run", 0),
            // The example of the paper: two chunks of six words, seven in the reference.
            (
                "the president spoke to the audience", "the president then spoke to the audience",
                meteor(matches: 6, candidate: 6, reference: 7, chunks: 2)
            ),
            ("c b a", "a b c", meteor(matches: 3, candidate: 3, reference: 3, chunks: 3)),
            // A word in between ends a chunk on either side.
            ("a x b", "a b", meteor(matches: 2, candidate: 3, reference: 2, chunks: 2)),
            // The second "a" must be taken, not the first.
            ("a dog", "a man and a dog", meteor(matches: 2, candidate: 2, reference: 5, chunks: 1)),
            ("x a dog a", "a dog a x", meteor(matches: 4, candidate: 4, reference: 4, chunks: 2)),
            // The first "a" must take the last place: with the first one there would be four chunks.
            ("a b a c", "b a c a", meteor(matches: 4, candidate: 4, reference: 4, chunks: 2)),
            ("the the the", "the cat", meteor(matches: 1, candidate: 3, reference: 2, chunks: 1)),
        ]
        for (candidate, reference, expected) in cases {
            let value = try one(candidate, reference).exactMETEOR
            #expect(abs(value - expected) < 1e-14, "\(candidate) | \(reference): \(value) where \(expected)")
        }
        // The best reference counts.
        #expect(try one("a dog", "cats", "a dog", "a cat").exactMETEOR == 1 - 0.5 / 8)
    }

    /// The fewest chunks by trying all alignments.
    private func fewestChunks(_ candidate: [Int], _ reference: [Int]) -> (matches: Int, chunks: Int) {
        var best = (matches: 0, chunks: 0)
        func extend(_ index: Int, _ used: Set<Int>, _ last: Int?, _ chunks: Int) {
            if index == candidate.count {
                if used.count > best.matches || (used.count == best.matches && chunks < best.chunks) {
                    best = (used.count, chunks)
                }
                return
            }
            extend(index + 1, used, nil, chunks)
            for place in reference.indices where reference[place] == candidate[index] && !used.contains(place) {
                extend(
                    index + 1, used.union([place]), place, last.map { $0 + 1 == place } ?? false ? chunks : chunks + 1)
            }
        }
        extend(0, [], nil, 0)
        return best
    }

    @Test func exactMETEORHasFewestChunks() throws {
        var state: UInt64 = 7
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        for _ in 0..<400 {
            let words = 2 + random(3)
            let candidate = (0..<(1 + random(7))).map { _ in random(words) }
            let reference = (0..<(1 + random(7))).map { _ in random(words) }
            let (matches, chunks) = fewestChunks(candidate, reference)
            let expected =
                matches == 0
                ? 0
                : meteor(
                    matches: Double(matches), candidate: Double(candidate.count), reference: Double(reference.count),
                    chunks: Double(chunks))
            func text(_ words: [Int]) -> String { words.map { "w\($0)" }.joined(separator: " ") }
            let value = try one(text(candidate), text(reference)).exactMETEOR
            #expect(abs(value - expected) < 1e-14, "\(candidate) | \(reference)")
        }
    }

    @Test func longRepetitiveCaptionsFinish() throws {
        let long = Array(repeating: "the the a", count: 30).joined(separator: " ")
        let scores = try one(long, long + " dog", "a " + long)
        #expect(scores.exactMETEOR > 0.9 && scores.exactMETEOR <= 1)
    }

    @Test func exactMatchIgnoresCaseAndSpacesOnly() throws {
        #expect(try one(" A  Red\tcar\n", "a boat", "a red car").exactMatch == 1)
        #expect(try one("a red car.", "a red car").exactMatch == 0)
        #expect(try one("caf\u{E9}", "cafe\u{301}").exactMatch == 1)
        #expect(try one("", "a red car", "").exactMatch == 0)
    }

    // MARK: Sets

    @Test func meansAndEmptyCaptions() throws {
        let metrics = try CaptionMetrics(
            ids: ["a", "b", "c", "d"], candidates: ["一只猫", "!?", "a dog", ""],
            references: [["一只猫"], ["a cat"], ["a dog", "dogs"], ["a bird"]])
        #expect(metrics.emptyCaptions == ["b", "d"])
        #expect(metrics.overall.exactMatch == 0.5)
        let each = metrics.captions.map(\.scores)
        expectClose(
            [metrics.overall.cider, metrics.overall.exactMETEOR, metrics.overall.rougeL],
            [
                each.map(\.cider).reduce(0, +) / 4, each.map(\.exactMETEOR).reduce(0, +) / 4,
                each.map(\.rougeL).reduce(0, +) / 4,
            ], absolute: 1e-15)
        #expect(each[1].bleu1 == 0 && each[1].cider == 0 && each[1].rougeL == 0 && each[1].exactMETEOR == 0)
        // Characters are tokens: an equal caption of three has all trigrams and no fourgram.
        #expect(abs(each[0].bleu3 - 1) < 1e-8 && each[0].bleu4 < 0.04)
        #expect(metrics.json["empty_captions"] == 2 && metrics.json["captions"] == 4)
        #expect(metrics.json["cider_d"] == .number(metrics.overall.cider))
    }

    @Test func emptyReferenceHasNothingInCommonWithEmptyCaption() throws {
        // The peer's ROUGE-L takes two empty texts for equal.
        let scores = try one("", "", "a bird")
        #expect(scores.rougeL == 0 && scores.exactMETEOR == 0 && scores.bleu1 == 0 && scores.cider == 0)
    }

    @Test func repeatedRunsGiveTheSameBits() throws {
        let golden = try GoldenPictures()
        let ids = try #require(golden.document["pictures"]?.members).map(\.name)
        let texts = try ids.map(golden.texts(of:))
        let runs = try (0..<3).map { _ in
            try CaptionMetrics(ids: ids, candidates: texts.map(\.candidate), references: texts.map(\.references))
        }
        #expect(Set(runs).count == 1)
    }

    // MARK: Bad input

    private func expectError(
        _ code: ConcordError.Code, _ parts: [String], ids: [String], candidates: [String], references: [[String]],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        do {
            _ = try CaptionMetrics(ids: ids, candidates: candidates, references: references)
            Issue.record("no error", sourceLocation: sourceLocation)
        } catch {
            #expect(error.code == code, sourceLocation: sourceLocation)
            for part in parts {
                #expect(error.message.contains(part), "\(error.message)", sourceLocation: sourceLocation)
            }
        }
    }

    @Test func badInput() {
        expectError(.emptyBatch, ["no caption"], ids: [], candidates: [], references: [])
        expectError(
            .invalidArgument, ["candidates has 1", "2 ids", "image b.png"], ids: ["a.png", "b.png"],
            candidates: ["x"], references: [["x"], ["y"]])
        expectError(
            .invalidArgument, ["references has 3", "2 ids", "after image b.png"], ids: ["a.png", "b.png"],
            candidates: ["x", "y"], references: [["x"], ["y"], ["z"]])
        expectError(
            .invalidArgument, ["candidates has 1", "0 ids"], ids: [], candidates: ["x"], references: [])
        expectError(
            .invalidDataset, ["2 images (b.png, c.png)", "no reference"], ids: ["a.png", "b.png", "c.png"],
            candidates: ["x", "y", "z"], references: [["x"], [], []])
        expectError(
            .invalidDataset, ["1 image (a.png)", "an earlier image"], ids: ["a.png", "b.png", "a.png"],
            candidates: ["x", "y", "z"], references: [["x"], ["y"], ["z"]])
        expectError(
            .invalidDataset, ["1 image (b.png)", "no token"], ids: ["a.png", "b.png"], candidates: ["x", "y"],
            references: [["x"], ["", " ... "]])
        let many = (0..<8).map { "\($0).png" }
        expectError(
            .invalidDataset, ["8 images (0.png, 1.png, 2.png, 3.png, 4.png and 3 more)"], ids: many,
            candidates: many, references: many.map { _ in [] })
    }
}
