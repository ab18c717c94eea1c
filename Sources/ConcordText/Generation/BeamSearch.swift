import ConcordCore

/// Beam search: the sequences with the best scores that one finds by going on with the best `width` beginnings only.
///
/// With `score` for the logarithm of a token's probability after a sequence, the plain search is
///
/// ```swift
/// var beams = [Sequence()], ended = [Sequence]()
/// for length in 1...maxTokens where !beams.isEmpty {
///     let next = beams.flatMap { beam in vocabulary.map { beam.adding($0, score(beam, $0)) } }.sorted(by: >)
///     let isEnd = { (found: Sequence) in found.last == stop || length == maxTokens }
///     ended = (ended + next.prefix(width).filter(isEnd).map(\.normalized)).sorted(by: >)
///     ended = Array(ended.prefix(width))
///     beams = Array(next.filter { !isEnd($0) }.prefix(width))
///     if ended.count == width, let best = beams.first, best.normalized <= ended[width - 1] { beams = [] }
/// }
/// return ended
/// ```
///
/// where `normalized` divides the sum of scores by the length to the power of `lengthPenalty`. The tests hold this
/// search against it (`PlainSearch.beams`). Below, several groups of beams search one after the other in each step, the
/// vocabulary is not sorted but scanned for the few best tokens, and a beam is a row of a session.
///
/// Options: ``GenerationStrategy/beam(width:groups:diversityPenalty:lengthPenalty:)``.
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

/// Beams that compete with each other.
struct BeamGroup {
    private struct Beam {
        var row = 0
        var tokens = [Int32]()
        var logProbabilities = [Double]()
        /// The sum of the tokens' scores.
        var score = 0.0
    }

    private struct Candidate {
        let beam: Int
        let choice: LogitReader.Choice
        let score: Double

        func isBetter(than other: Candidate) -> Bool {
            (other.score, choice.token, beam) < (score, other.choice.token, other.beam)
        }
    }

    private let request: SearchRequest
    private let reader: LogitReader
    private let width: Int
    private let otherBeams: Int
    private let lengthPenalty: Double
    /// The best first; none when the search has ended.
    private var beams = [Beam()]
    /// Sequences that have ended, at most as many as beams, the best first.
    private(set) var finished = [GeneratedTokens]()
    /// The tokens that its beams chose in the last step, other than stop tokens.
    private(set) var chosen = [Int32]()

    /// - Parameter otherBeams: the number of beams of the other groups.
    init(
        _ request: SearchRequest, reader: LogitReader, width: Int, otherBeams: Int, lengthPenalty: Double
    ) {
        self.request = request
        self.reader = reader
        self.width = width
        self.otherBeams = otherBeams
        self.lengthPenalty = lengthPenalty
    }

    /// One step, as ``SequenceSearch/advance(_:firstRow:updates:)``.
    ///
    /// - Parameters:
    ///   - penalties: the loss of score of each token.
    ///   - nextRow: the number of the request's next rows that belong to earlier groups.
    mutating func advance(
        _ logits: TokenLogits, firstRow: Int, penalties: [Int32: Double], nextRow: Int
    ) throws(ConcordError) -> [SequenceContinuation] {
        chosen = []
        guard !beams.isEmpty else { return [] }
        let ranked = try candidates(logits, firstRow: firstRow, penalties: penalties)
        var next = [Beam](), continuations = [SequenceContinuation]()
        for (rank, candidate) in ranked.enumerated() {
            let parent = beams[candidate.beam]
            let beam = Beam(
                row: nextRow + next.count, tokens: parent.tokens + [candidate.choice.token],
                logProbabilities: parent.logProbabilities + [candidate.choice.logProbability], score: candidate.score)
            let isStop = reader.isStop(candidate.choice.token)
            if isStop || beam.tokens.count == request.options.maxTokens {
                guard rank < width else { continue }
                finish(beam, isStop ? .stop : .length)
                if !isStop { chosen.append(candidate.choice.token) }
            } else if next.count < width {
                next.append(beam)
                chosen.append(candidate.choice.token)
                continuations.append(SequenceContinuation(parent: parent.row, token: candidate.choice.token))
            }
        }
        if let best = next.first, let worst = finished.last, finished.count == width,
            normalized(best.score, count: best.tokens.count) <= worst.score
        {
            (next, continuations) = ([], [])
        }
        beams = next
        return continuations
    }

    /// The best continuations of all beams, the best first: enough for `width` of them to go on, however many stop.
    private func candidates(
        _ logits: TokenLogits, firstRow: Int, penalties: [Int32: Double]
    ) throws(ConcordError) -> [Candidate] {
        let count = width * max(2, 1 + request.stopTokens.count)
        var candidates = [Candidate]()
        for (index, beam) in beams.enumerated() {
            // Penalties can push at most as many tokens back as the other groups have beams.
            let choices = try reader.best(
                count + (penalties.isEmpty ? 0 : otherBeams), logits, row: firstRow + beam.row,
                new: beam.tokens)
            candidates += choices.map {
                Candidate(
                    beam: index, choice: $0, score: beam.score + $0.score - (penalties[$0.token] ?? 0))
            }
        }
        return Array(candidates.sorted { $0.isBetter(than: $1) }.prefix(count))
    }

    private mutating func finish(_ beam: Beam, _ reason: GeneratedTokens.FinishReason) {
        let sequence = GeneratedTokens(
            tokens: beam.tokens, tokenLogProbabilities: beam.logProbabilities,
            score: normalized(beam.score, count: beam.tokens.count), finishReason: reason)
        // After equals: they ended earlier or ranked higher.
        let place = finished.firstIndex { $0.score < sequence.score } ?? finished.endIndex
        finished.insert(sequence, at: place)
        if finished.count > width { finished.removeLast() }
    }

    private func normalized(_ score: Double, count: Int) -> Double { score / pow(Double(count), lengthPenalty) }
}
