import ConcordCore

/// Compares generated captions, one a picture, with one or more references a picture.
///
/// BLEU, CIDEr-D and ROUGE-L are those of coco-caption (Chen et al. 2015), to 12 digits on the same tokens, with one
/// exception: a caption without tokens has nothing in common with anything. Tokens are ``MetricTokenizer``'s unless
/// the caller has others.
public struct CaptionMetrics: Sendable, Hashable {
    /// The scores of all captions together.
    public let overall: CaptionScores
    /// The scores of each caption, in the order of the pictures.
    public let captions: [ScoredCaption]
    /// The pictures whose caption has no token. They count, and score 0 in everything.
    public let emptyCaptions: [String]

    /// Scores captions.
    ///
    /// A reference without a token counts as the peer counts it, as one of length 0, as long as the picture has
    /// another one.
    ///
    /// - Parameters:
    ///   - ids: names of the pictures, each once.
    ///   - candidates: the generated caption of each picture; it may be empty.
    ///   - references: the references of each picture, at least one with a token; their number may differ.
    ///   - tokenize: makes a caption into tokens. It is not asked for exact matches, which compare texts.
    /// - Throws: `.emptyBatch` without a picture; `.invalidArgument` when the numbers of ids, candidates and references
    ///   differ; `.invalidDataset` for an id that occurs twice, a picture without references, or one whose references
    ///   have no token. Each names the pictures.
    public init(
        ids: [String], candidates: [String], references: [[String]],
        tokenize: (String) -> [String] = MetricTokenizer.tokens(of:)
    ) throws(ConcordError) {
        try Self.check(ids, candidates, references)
        var vocabulary = MetricVocabulary()
        let candidateWords = candidates.map { vocabulary.numbers(of: tokenize($0)) }
        let referenceWords = references.map { $0.map { vocabulary.numbers(of: tokenize($0)) } }
        try Self.refuse(
            zip(ids, referenceWords).filter { $0.1.allSatisfy(\.isEmpty) }.map(\.0), .invalidDataset,
            "no token in any reference; correct the references or leave the picture out")

        let candidateCounts = candidateWords.map(NGramCounts.init)
        let referenceCounts = referenceWords.map { $0.map(NGramCounts.init) }
        let cider = CIDErScorer(references: referenceCounts)
        var corpus = BLEUCounts()
        captions = ids.indices.map { picture in
            let bleu = BLEUCounts(candidateCounts[picture], references: referenceCounts[picture])
            corpus += bleu
            let words = candidateWords[picture]
            let text = Self.normalized(candidates[picture])
            let isMatch = !words.isEmpty && references[picture].contains { Self.normalized($0) == text }
            let scores = CaptionScores(
                bleu: bleu, cider: cider.score(candidateCounts[picture], references: referenceCounts[picture]),
                exactMETEOR: referenceWords[picture].map { ExactMETEOR.score(words, reference: $0) }.max() ?? 0,
                rougeL: ROUGE.score(words, references: referenceWords[picture]), exactMatch: isMatch ? 1 : 0)
            return ScoredCaption(id: ids[picture], scores: scores)
        }
        let all = captions.map(\.scores)
        func mean(_ score: (CaptionScores) -> Double) -> Double { all.reduce(0) { $0 + score($1) } / Double(all.count) }
        overall = CaptionScores(
            bleu: corpus, cider: mean(\.cider), exactMETEOR: mean(\.exactMETEOR), rougeL: mean(\.rougeL),
            exactMatch: mean(\.exactMatch))
        emptyCaptions = zip(ids, candidateWords).filter(\.1.isEmpty).map(\.0)
    }

    /// The overall scores and the numbers of captions.
    public var json: JSONValue {
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
            throw ConcordError(.emptyBatch, "there is no caption to score; give at least one picture")
        }
        for (name, count) in [("candidates", candidates.count), ("references", references.count)]
        where count != ids.count {
            let first =
                count < ids.count
                ? "picture \(ids[count]) is the first without one"
                : "those after picture \(ids.last ?? "none") belong to no id"
            throw ConcordError(.invalidArgument, "\(name) has \(count) elements for \(ids.count) ids; \(first)")
        }
        var seen = Set<UTF8Key>()
        try refuse(
            ids.filter { !seen.insert(UTF8Key($0)).inserted }, .invalidDataset,
            "an id that an earlier picture has; give each picture once")
        try refuse(
            zip(ids, references).filter(\.1.isEmpty).map(\.0), .invalidDataset,
            "no reference; add one or leave the picture out")
    }

    /// Throws an error that names the first of `ids`, if there are any.
    private static func refuse(
        _ ids: [String], _ code: ConcordError.Code, _ problem: String
    ) throws(ConcordError) {
        guard !ids.isEmpty else { return }
        let names = ids.prefix(5).joined(separator: ", ") + (ids.count > 5 ? " and \(ids.count - 5) more" : "")
        throw ConcordError(code, "\(ids.count) picture\(ids.count == 1 ? "" : "s") (\(names)): \(problem)")
    }
}
