import ConcordCore

/// Compares generated captions, one an image, with one or more references an image.
///
/// BLEU, CIDEr-D and ROUGE-L are those of coco-caption (Chen et al. 2015), to 12 digits on the same tokens, with one
/// exception: a caption without tokens has nothing in common with anything. Tokens are ``MetricTokenizer``'s unless
/// the caller has others.
package struct CaptionMetrics: Sendable, Hashable {
    /// The scores of all captions together.
    package let overall: CaptionScores
    /// The scores of each caption, in the order of the images.
    package let captions: [ScoredCaption]
    /// The images whose caption has no token. They count, and score 0 in everything.
    package let emptyCaptions: [String]

    /// Scores captions.
    ///
    /// A reference without a token counts as the peer counts it, as one of length 0, as long as the image has
    /// another one.
    ///
    /// - Parameters:
    ///   - ids: names of the images, each once.
    ///   - candidates: the generated caption of each image; it may be empty.
    ///   - references: the references of each image, at least one with a token; their number may differ.
    ///   - tokenize: makes a caption into tokens. It is not asked for exact matches, which compare texts.
    /// - Throws: `.emptyBatch` without an image; `.invalidArgument` when the numbers of ids, candidates and references
    ///   differ; `.invalidDataset` for an id that occurs twice, an image without references, or one whose references
    ///   have no token. Each names the images.
    package init(
        ids: [String], candidates: [String], references: [[String]],
        tokenize: (String) -> [String] = MetricTokenizer.tokens(of:)
    ) throws(ConcordError) {
        try Self.check(ids, candidates, references)
        var vocabulary = MetricVocabulary()
        let candidateWords = candidates.map { vocabulary.numbers(of: tokenize($0)) }
        let referenceWords = references.map { $0.map { vocabulary.numbers(of: tokenize($0)) } }
        try Self.refuse(
            zip(ids, referenceWords).filter { $0.1.allSatisfy(\.isEmpty) }.map(\.0), .invalidDataset,
            "no token in any reference; correct the references or omit the image")

        let candidateCounts = candidateWords.map(NGramCounts.init)
        let referenceCounts = referenceWords.map { $0.map(NGramCounts.init) }
        let cider = CIDErScorer(references: referenceCounts)
        var corpus = BLEUCounts()
        captions = ids.indices.map { image in
            let bleu = BLEUCounts(candidateCounts[image], references: referenceCounts[image])
            corpus += bleu
            let words = candidateWords[image]
            let text = Self.normalized(candidates[image])
            let isMatch = !words.isEmpty && references[image].contains { Self.normalized($0) == text }
            let scores = CaptionScores(
                bleu: bleu, cider: cider.score(candidateCounts[image], references: referenceCounts[image]),
                exactMETEOR: referenceWords[image].map { ExactMETEOR.score(words, reference: $0) }.max() ?? 0,
                rougeL: ROUGE.score(words, references: referenceWords[image]), exactMatch: isMatch ? 1 : 0)
            return ScoredCaption(id: ids[image], scores: scores)
        }
        let all = captions.map(\.scores)
        func mean(_ score: (CaptionScores) -> Double) -> Double { all.reduce(0) { $0 + score($1) } / Double(all.count) }
        overall = CaptionScores(
            bleu: corpus, cider: mean(\.cider), exactMETEOR: mean(\.exactMETEOR), rougeL: mean(\.rougeL),
            exactMatch: mean(\.exactMatch))
        emptyCaptions = zip(ids, candidateWords).filter(\.1.isEmpty).map(\.0)
    }

    /// The overall scores and the numbers of captions.
    package var json: JSONValue {
        guard case .object(let members) = overall.json else { return overall.json }
        return .object(
            members + [
                .init("captions", .integer(captions.count)), .init("empty_captions", .integer(emptyCaptions.count)),
            ])
    }

    /// In lower case, with single spaces: what an exact match compares. `==` also takes "é" and "e" + U+0301 for one.
    private static func normalized(_ text: String) -> String {
        text.lowercased().split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    private static func check(
        _ ids: [String], _ candidates: [String], _ references: [[String]]
    ) throws(ConcordError) {
        guard !ids.isEmpty || !candidates.isEmpty || !references.isEmpty else {
            throw ConcordError(.emptyBatch, "there are no captions to score; give at least one image")
        }
        for (name, count) in [("candidates", candidates.count), ("references", references.count)]
        where count != ids.count {
            let first =
                count < ids.count
                ? "image \(ids[count]) is the first without one"
                : "those after image \(ids.last ?? "none") belong to no id"
            throw ConcordError(.invalidArgument, "\(name) has \(count) elements for \(ids.count) ids; \(first)")
        }
        var seen = Set<UTF8Key>()
        try refuse(
            ids.filter { !seen.insert(UTF8Key($0)).inserted }, .invalidDataset,
            "the id of an earlier image; give each image once")
        try refuse(
            zip(ids, references).filter(\.1.isEmpty).map(\.0), .invalidDataset,
            "no reference; add one or omit the image")
    }

    /// Throws an error that names the first of `ids`, if there are any.
    private static func refuse(
        _ ids: [String], _ code: ConcordError.Code, _ problem: String
    ) throws(ConcordError) {
        guard !ids.isEmpty else { return }
        let names = ids.prefix(5).joined(separator: ", ") + (ids.count > 5 ? " and \(ids.count - 5) more" : "")
        throw ConcordError(code, "\(ids.count) image\(ids.count == 1 ? "" : "s") (\(names)): \(problem)")
    }
}

/// Scores of generated captions against references: of one caption, or of a set of them.
public struct CaptionScores: Sendable, Hashable {
    /// BLEU-1 to BLEU-4, from 0 to 1 (Papineni et al. 2002): the share of the caption's n-grams that a reference has,
    /// with a penalty for brevity against the reference of the closest length, the shorter of two.
    ///
    /// A set's BLEU is that of all its n-grams together, not the mean of its captions'. As in coco-caption's
    /// `bleu_scorer.py`, 1e-15 and 1e-9 are added to numerators and denominators. So BLEU-n of a caption with fewer
    /// than n words is not 0, and not 1 either where it equals its reference: 0.03 for BLEU-4 of three words.
    package let bleu1, bleu2, bleu3, bleu4: Double
    /// CIDEr-D, from 0 to 10 (Vedantam et al. 2015): cosines of n-grams weighted by tf-idf, clipped, with a Gaussian
    /// penalty for length (σ = 6), averaged over n = 1…4 and over the references, and multiplied by 10.
    ///
    /// Images are the documents. So it depends on all images of the set, is 0 for a set of one, and gives no weight
    /// to n-grams that every image has. As in coco-caption's `cider_scorer.py` length is the number of bigrams.
    package let cider: Double
    /// METEOR with only its exact matcher, from 0 to 1 (Banerjee and Lavie 2005), the best over the references.
    ///
    /// F = P·R / (0.9·P + 0.1·R) of the words in common, times 1 − 0.5·(chunks / matches)³, where chunks are the runs
    /// of words that stand alike in both, as few as possible. There is no stemming and no WordNet, and the parameters
    /// are those of 2005, so figures of METEOR 1.5 are not comparable. A caption of n words that equals its reference
    /// has 1 − 0.5/n³. The set's is the mean of its captions'.
    package let exactMETEOR: Double
    /// ROUGE-L, from 0 to 1 (Lin 2004): the F-measure with β = 1.2 of the longest common subsequence, with the highest
    /// precision and the highest recall over the references, as coco-caption's `rouge.py` has it.
    package let rougeL: Double
    /// 1 where the caption equals one of its references but for case and white space, else 0; the share in a set.
    package let exactMatch: Double

    init(bleu: BLEUCounts, cider: Double, exactMETEOR: Double, rougeL: Double, exactMatch: Double) {
        let scores = bleu.scores
        (bleu1, bleu2, bleu3, bleu4) = (scores[0], scores[1], scores[2], scores[3])
        self.cider = cider
        self.exactMETEOR = exactMETEOR
        self.rougeL = rougeL
        self.exactMatch = exactMatch
    }

    public var json: JSONValue {
        [
            "bleu_1": .number(bleu1), "bleu_2": .number(bleu2), "bleu_3": .number(bleu3), "bleu_4": .number(bleu4),
            "cider_d": .number(cider), "meteor_exact": .number(exactMETEOR), "rouge_l": .number(rougeL),
            "exact_match": .number(exactMatch),
        ]
    }
}

/// An image with the scores of the caption that was generated for it.
package struct ScoredCaption: Sendable, Hashable {
    /// The caller's name of the image.
    package let id: String
    package let scores: CaptionScores
}
