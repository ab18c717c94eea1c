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

/// Draws a token from the most probable ones (Fan et al. 2018; Holtzman et al. 2020).
///
/// A place in `[0, 1)` of the distribution stands for a token: the tokens lie side by side, the most probable first,
/// each
/// as wide as its share; where none is left out they lie in the order of their ids.
struct Nucleus {
    let topK: Int?
    let topP: Double

    /// The number of tokens to look for a nucleus among at first; a trained model's is smaller as a rule.
    private static let usualCount = 64
    /// The most tokens that the scan keeps in order faster than all are sorted.
    private static let mostScanned = 1024

    /// The token at a place of the distribution whose logits these are; nil when none is possible.
    func draw<Scalar: LogitScalar>(_ logits: UnsafeBufferPointer<Scalar>, at place: Double) -> Int32? {
        if let topK, topK < logits.count {
            let top =
                topK <= Self.mostScanned
                ? LogitScan(logits, count: topK) { _ in true }.top
                : Array(sorted(logits) { _ in true }.prefix(topK))
            return draw(from: top, at: place, total: nil)
        }
        if topP == 1 { return drawFromAll(logits, at: place) }
        let scan = LogitScan(logits, count: Self.usualCount) { _ in true }
        guard let first = scan.top.first else { return nil }
        let total = exp(scan.logSumExp - first.logit)
        let isEnough = weights(scan.top).reduce(0, +) >= topP * total || scan.top.count < Self.usualCount
        return isEnough
            ? draw(from: scan.top, at: place, total: total) : drawFromMany(logits, largest: first.logit, at: place)
    }

    /// - Parameters:
    ///   - top: tokens, the most probable first.
    ///   - total: the weight of all tokens that the probability `topP` is one of; nil for those of `top`.
    private func draw(from top: [LogitScan.Candidate], at place: Double, total: Double?) -> Int32? {
        let weights = weights(top)
        let (count, kept) = share(of: weights, atLeast: topP * (total ?? weights.reduce(0, +)))
        return token(top.prefix(count), weights, at: place * kept)
    }

    /// The fewest of the first weights that are so much together, one at least, and how much they are.
    private func share(of weights: [Double], atLeast needed: Double) -> (count: Int, sum: Double) {
        var count = 0, sum = 0.0
        while count < weights.count, count == 0 || sum < needed {
            sum += weights[count]
            count += 1
        }
        return (count, sum)
    }

    private func token(_ tokens: ArraySlice<LogitScan.Candidate>, _ weights: [Double], at target: Double) -> Int32? {
        var sum = 0.0
        for (token, weight) in zip(tokens, weights) {
            sum += weight
            if sum > target { return token.token }
        }
        // Rounding left the target a hair after the last.
        return tokens.last?.token
    }

    /// Exponentials of the logits, that of the largest being 1.
    private func weights(_ tokens: [LogitScan.Candidate], largest: Double? = nil) -> [Double] {
        let largest = largest ?? tokens.first?.logit ?? 0
        return tokens.map { exp($0.logit - largest) }
    }

    private func sorted<Scalar: LogitScalar>(
        _ logits: UnsafeBufferPointer<Scalar>, where isWanted: (Double) -> Bool
    ) -> [LogitScan.Candidate] {
        var tokens = [LogitScan.Candidate]()
        for (token, logit) in logits.enumerated() where logit > -.infinity && isWanted(Double(logit)) {
            tokens.append(LogitScan.Candidate(token: Int32(token), logit: Double(logit)))
        }
        return tokens.sorted { ($1.logit, $0.token) < ($0.logit, $1.token) }
    }

    /// A nucleus of many tokens, without sorting them: they are put into bins by logit, and only the bin that the
    /// nucleus
    /// ends in and the one that the place is in are sorted.
    private func drawFromMany<Scalar: LogitScalar>(
        _ logits: UnsafeBufferPointer<Scalar>, largest: Double, at place: Double
    ) -> Int32? {
        let binCount = 1024
        func bin(_ logit: Double) -> Int { Int(min((largest - logit) * 64, Double(binCount - 1))) }
        var masses = [Double](repeating: 0, count: binCount)
        for logit in logits where logit > -.infinity {
            masses[bin(Double(logit))] += exp(Double(logit) - largest)
        }
        let needed = topP * masses.reduce(0, +)
        let (binsKept, _) = share(of: masses, atLeast: needed)
        let last = binsKept - 1, before = masses[..<last].reduce(0, +)
        let lastTokens = sorted(logits) { bin($0) == last }, lastWeights = weights(lastTokens, largest: largest)
        let (count, lastKept) = share(of: lastWeights, atLeast: needed - before)
        let target = place * (before + lastKept)
        var sum = 0.0
        for index in 0..<last {
            if sum + masses[index] > target {
                let tokens = sorted(logits) { bin($0) == index }
                return token(tokens[...], weights(tokens, largest: largest), at: target - sum)
            }
            sum += masses[index]
        }
        return token(lastTokens.prefix(count), lastWeights, at: target - before)
    }

    /// All tokens, a block at a time until the place is in it.
    private func drawFromAll<Scalar: LogitScalar>(_ logits: UnsafeBufferPointer<Scalar>, at place: Double) -> Int32? {
        let largest = Scalar.largest(logits)
        guard largest > -.infinity else { return nil }
        let blocks = stride(from: 0, to: logits.count, by: 1024).map { start in
            UnsafeBufferPointer(rebasing: logits[start..<min(start + 1024, logits.count)])
        }
        let sums = blocks.map { Scalar.exponentialSum($0, minus: largest) }
        let target = place * sums.reduce(0, +)
        var sum = 0.0, last: Int32?
        for (block, blockSum) in zip(blocks.indices, sums) {
            guard sum + blockSum > target || block == blocks.count - 1 else {
                sum += blockSum
                continue
            }
            for (index, logit) in blocks[block].enumerated() where logit > -.infinity {
                sum += exp(Double(logit - largest))
                last = Int32(block * 1024 + index)
                if sum > target { return last }
            }
        }
        return last
    }
}
