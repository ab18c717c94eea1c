import ConcordCore

/// A search with beams, in one group or several; see
/// ``GenerationStrategy/beam(width:groups:diversityPenalty:lengthPenalty:)``.
struct BeamSearch: SequenceSearch {
    private let item: Int
    private let resultCount: Int
    private let diversityPenalty: Double
    private let nothingAllowed: ConcordError
    private var groups: [BeamGroup]

    init(
        _ request: SearchRequest, reader: LogitReader, width: Int, groups: Int, diversityPenalty: Double,
        lengthPenalty: Double
    ) {
        item = request.item
        self.diversityPenalty = diversityPenalty
        resultCount = request.options.resultCount
        nothingAllowed = reader.nothingAllowed
        let group = BeamGroup(
            request, reader: reader, width: width / groups, otherBeams: width - width / groups,
            lengthPenalty: lengthPenalty)
        self.groups = Array(repeating: group, count: groups)
    }

    /// The best of all groups; between equals that of the earlier group comes first.
    var results: [GeneratedTokens] {
        let found = groups.flatMap(\.finished).enumerated()
        let ranked = found.sorted { ($1.element.score, $0.offset) < ($0.element.score, $1.offset) }
        return ranked.prefix(resultCount).map(\.element)
    }

    mutating func advance(
        _ logits: TokenLogits, firstRow: Int, updates: inout [GenerationUpdate]
    ) throws(ConcordError) -> [SequenceContinuation] {
        var continuations = [SequenceContinuation]()
        var penalties = [Int32: Double]()
        for index in groups.indices {
            let next = try groups[index].advance(
                logits, firstRow: firstRow, penalties: penalties, nextRow: continuations.count)
            for token in groups[index].chosen { penalties[token, default: 0] += diversityPenalty }
            continuations += next
        }
        guard continuations.isEmpty else { return continuations }
        let results = results
        guard !results.isEmpty else { throw nothingAllowed }
        for (result, tokens) in results.enumerated() {
            updates.append(
                GenerationUpdate(
                    item: item, result: result, tokens: tokens.tokens, logProbabilities: tokens.tokenLogProbabilities,
                    finishReason: tokens.finishReason))
        }
        return []
    }
}
