import ConcordCore

/// Reads rows of logits as the options of one request ask.
struct LogitReader {
    /// A token that may come next.
    struct Choice {
        let token: Int32
        /// In the model's own distribution.
        let logProbability: Double
        /// After the repetition penalty, in the distribution of all tokens, whether they are allowed or not.
        let score: Double
    }

    private let request: SearchRequest
    private let vocabularySize: Int
    /// Tokens that never come.
    private let excluded: [Int32]
    /// Whether each token may come; nil when all may.
    private let isAllowed: [Bool]?

    init(_ request: SearchRequest, vocabularySize: Int, padToken: Int32?) {
        excluded = padToken.map { [$0] } ?? []
        self.request = request
        self.vocabularySize = vocabularySize
        isAllowed = request.options.allowedTokens.map { allowed in
            var flags = [Bool](repeating: false, count: vocabularySize)
            for token in Array(allowed) + request.stopTokens { flags[Int(token)] = true }
            return flags
        }
    }

    func isStop(_ token: Int32) -> Bool { request.stopTokens.contains(token) }

    /// The tokens with the best scores, the best first, then by id; fewer when fewer are allowed and possible.
    ///
    /// - Parameters:
    ///   - row: the row of `logits` to read.
    ///   - new: the tokens of the sequence behind its prompt.
    func best(
        _ count: Int, _ logits: TokenLogits, row: Int, new: [Int32]
    ) throws(ConcordError) -> [Choice] {
        switch logits {
        case .float32(let all): try best(count, self.row(row, of: all), new: new)
        case .float64(let all): try best(count, self.row(row, of: all), new: new)
        }
    }

    /// A token drawn as ``GenerationStrategy/sample(temperature:topK:topP:seed:)`` says.
    func draw(
        _ logits: TokenLogits, row: Int, new: [Int32], temperature: Double, topK: Int?, topP: Double,
        from random: inout RandomSource
    ) throws(ConcordError) -> Choice {
        let place = random.uniform()
        func draw<Scalar: LogitScalar>(_ logits: UnsafeBufferPointer<Scalar>) throws(ConcordError) -> Choice {
            let logSumExp = try checked(LogitScan(logits, count: 1) { _ in true }.logSumExp)
            let result = changed(logits, temperature: temperature, closes: true, new: new) { logits in
                Nucleus(topK: topK, topP: topP).draw(logits, at: place)
            }
            guard let token = result else { throw nothingAllowed }
            let logProbability = Double(logits[Int(token)]) - logSumExp
            return Choice(token: token, logProbability: logProbability, score: logProbability)
        }
        switch logits {
        case .float32(let all): return try draw(self.row(row, of: all))
        case .float64(let all): return try draw(self.row(row, of: all))
        }
    }

    var nothingAllowed: ConcordError {
        ConcordError(
            .nonFiniteValue,
            "item \(request.item): every token that may come next has probability 0; allow more tokens, or fewer before a stop"
        )
    }

    private func best<Scalar: LogitScalar>(
        _ count: Int, _ logits: UnsafeBufferPointer<Scalar>, new: [Int32]
    ) throws(ConcordError) -> [Choice] {
        let isOpen = openTokens(new)
        guard request.options.repetitionPenalty != 1 else {
            let scan = LogitScan(logits, count: count, isOpen: isOpen)
            let logSumExp = try checked(scan.logSumExp)
            return scan.top.map {
                Choice(token: $0.token, logProbability: $0.logit - logSumExp, score: $0.logit - logSumExp)
            }
        }
        let logSumExp = try checked(LogitScan(logits, count: 1) { _ in true }.logSumExp)
        let scan = changed(logits, temperature: 1, closes: false, new: new) {
            LogitScan($0, count: count, isOpen: isOpen)
        }
        return scan.top.map {
            Choice(
                token: $0.token, logProbability: Double(logits[Int($0.token)]) - logSumExp,
                score: $0.logit - scan.logSumExp)
        }
    }

    private func row<Scalar>(_ row: Int, of all: UnsafeBufferPointer<Scalar>) -> UnsafeBufferPointer<Scalar> {
        UnsafeBufferPointer(rebasing: all[row * vocabularySize..<(row + 1) * vocabularySize])
    }

    private func checked(_ logSumExp: Double) throws(ConcordError) -> Double {
        guard !logSumExp.isNaN else {
            throw ConcordError(
                .nonFiniteValue,
                "item \(request.item): the model's logits have NaN or infinity; look for it in the weights and the picture"
            )
        }
        return logSumExp
    }

    /// Whether a token may follow `new`.
    private func openTokens(_ new: [Int32]) -> (Int) -> Bool {
        let closed = closedTokens(new)
        guard let isAllowed else { return { token in !closed.contains(Int32(token)) } }
        return { token in isAllowed[token] && !closed.contains(Int32(token)) }
    }

    /// The few tokens that may not follow `new` although they are allowed.
    private func closedTokens(_ new: [Int32]) -> [Int32] {
        new.count < request.options.minTokens ? excluded + request.stopTokens : excluded
    }

    /// Calls `body` with a copy of the logits after the repetition penalty and the temperature.
    ///
    /// - Parameter closes: makes the logits of tokens that may not come negatively infinite.
    private func changed<Scalar: LogitScalar, Result>(
        _ logits: UnsafeBufferPointer<Scalar>, temperature: Double, closes: Bool, new: [Int32],
        _ body: (UnsafeBufferPointer<Scalar>) -> Result
    ) -> Result {
        withUnsafeTemporaryAllocation(of: Scalar.self, capacity: logits.count) { copy in
            _ = copy.initialize(from: logits)
            let penalty = Scalar(request.options.repetitionPenalty)
            if penalty != 1 {
                for token in Set(request.prompt).union(new) {
                    let logit = copy[Int(token)]
                    copy[Int(token)] = logit > 0 ? logit / penalty : logit * penalty
                }
            }
            if temperature != 1 {
                // A smaller one changes no draw, but would make quotients infinite, and their differences no numbers.
                let scale = Scalar(max(temperature, 1e-6))
                for index in copy.indices { copy[index] /= scale }
            }
            if closes {
                if let isAllowed { for index in copy.indices where !isAllowed[index] { copy[index] = -.infinity } }
                for token in closedTokens(new) { copy[Int(token)] = -.infinity }
            }
            return body(UnsafeBufferPointer(copy))
        }
    }
}
