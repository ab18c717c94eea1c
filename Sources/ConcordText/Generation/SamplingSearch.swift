import ConcordCore

/// Sequences that grow by one token a step, each for itself: the greedy one, or draws.
struct SamplingSearch: SequenceSearch {
    private struct Draft {
        var row = 0
        var tokens = [Int32]()
        var logProbabilities = [Double]()
        var random: RandomSource
        var finishReason: GeneratedTokens.FinishReason?
    }

    private let request: SearchRequest
    private let reader: LogitReader
    private var drafts: [Draft]

    init(_ request: SearchRequest, reader: LogitReader) {
        self.request = request
        self.reader = reader
        var seed: UInt64 = 0
        if case .sample(_, _, _, let given) = request.options.strategy { seed = given }
        drafts = (0..<request.options.resultCount).map { result in
            Draft(random: RandomSource(seed: seed, stream: UInt64(result)))
        }
    }

    var results: [GeneratedTokens] {
        drafts.map {
            GeneratedTokens(
                tokens: $0.tokens, tokenLogProbabilities: $0.logProbabilities, finishReason: $0.finishReason ?? .length)
        }
    }

    mutating func advance(
        _ logits: TokenLogits, firstRow: Int, updates: inout [GenerationUpdate]
    ) throws(ConcordError) -> [SequenceContinuation] {
        var continuations = [SequenceContinuation]()
        for result in drafts.indices where drafts[result].finishReason == nil {
            let choice = try choose(logits, row: firstRow + drafts[result].row, draft: &drafts[result])
            drafts[result].tokens.append(choice.token)
            drafts[result].logProbabilities.append(choice.logProbability)
            if reader.isStop(choice.token) {
                drafts[result].finishReason = .stop
            } else if drafts[result].tokens.count == request.options.maxTokens {
                drafts[result].finishReason = .length
            } else {
                continuations.append(SequenceContinuation(parent: drafts[result].row, token: choice.token))
                drafts[result].row = continuations.count - 1
            }
            updates.append(
                GenerationUpdate(
                    item: request.item, result: result, tokens: [choice.token],
                    logProbabilities: [choice.logProbability],
                    finishReason: drafts[result].finishReason))
        }
        return continuations
    }

    private func choose(
        _ logits: TokenLogits, row: Int, draft: inout Draft
    ) throws(ConcordError) -> LogitReader.Choice {
        guard case .sample(let temperature, let topK, let topP, _) = request.options.strategy else {
            let best = try reader.best(1, logits, row: row, new: draft.tokens)
            guard let choice = best.first else { throw reader.nothingAllowed }
            return choice
        }
        return try reader.draw(
            logits, row: row, new: draft.tokens, temperature: temperature, topK: topK,
            topP: topP, from: &draft.random)
    }
}
