import ConcordCore

/// A view of a model's scores of the next token, `[rows, vocabulary]`, row after row without gaps, whose softmax is the
/// distribution. Valid only inside the call that it is given to.
public enum TokenLogits {
    case float32(UnsafeBufferPointer<Float>)
    case float64(UnsafeBufferPointer<Double>)

    package var count: Int {
        switch self {
        case .float32(let logits): logits.count
        case .float64(let logits): logits.count
        }
    }

    /// The token that greedy decoding takes after a row, and how far its logit is ahead of the second; nil where every
    /// token that may come has probability 0.
    ///
    /// - Parameter padToken: never comes.
    package func mostLikely(
        row: Int, vocabularySize: Int, padToken: Int32?
    ) -> (token: Int32, lead: Double)? {
        func scan<Scalar: LogitScalar>(_ all: UnsafeBufferPointer<Scalar>) -> [LogitScan.Candidate] {
            let logits = UnsafeBufferPointer(rebasing: all[row * vocabularySize..<(row + 1) * vocabularySize])
            return LogitScan(logits, count: 2) { Int32($0) != padToken }.top
        }
        let top =
            switch self {
            case .float32(let logits): scan(logits)
            case .float64(let logits): scan(logits)
            }
        return top.first.map { ($0.token, top.count > 1 ? $0.logit - top[1].logit : .infinity) }
    }

    /// A row's logits in single precision.
    package func values(row: Int, vocabularySize: Int) -> [Float] {
        let range = row * vocabularySize..<(row + 1) * vocabularySize
        return switch self {
        case .float32(let logits): Array(logits[range])
        case .float64(let logits): logits[range].map(Float.init)
        }
    }
}

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
    ///   - new: the tokens of the sequence after its prompt.
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
                "item \(request.item): the model's logits have NaN or infinity; look for it in the weights and the image"
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

/// The results of one pass over a row of logits.
struct LogitScan {
    struct Candidate {
        let token: Int32
        let logit: Double
    }

    /// The largest logits among the open tokens, the largest first, then by id.
    let top: [Candidate]
    /// The logarithm of the sum of exponentials of all logits, open or not: what makes a logit a logarithm of a
    /// probability. NaN when a logit is NaN or positively infinite, or all are negatively infinite.
    let logSumExp: Double

    /// Elements that stay in the nearest cache between the search for the largest and the sum.
    private static let block = 1024

    /// - Parameters:
    ///   - count: how many of the largest are wanted. Fewer come when fewer are open or above negative infinity.
    ///   - isOpen: whether a token may come; asked only of those that would be among the largest.
    init<Scalar: LogitScalar>(
        _ logits: UnsafeBufferPointer<Scalar>, count: Int, isOpen: (Int) -> Bool
    ) {
        var top = [Candidate]()
        top.reserveCapacity(count + 1)
        var largest = -Scalar.infinity, sum = 0.0
        // What a logit must exceed to be among the largest: nothing is known of ties, and the first of equals stays.
        var threshold = -Scalar.infinity
        var start = 0
        while start < logits.count {
            let end = min(start + Self.block, logits.count)
            let values = UnsafeBufferPointer(rebasing: logits[start..<end])
            let blockLargest = Scalar.largest(values)
            if blockLargest > largest {
                sum *= exp(Double(largest - blockLargest))
                largest = blockLargest
            }
            if largest > -.infinity {
                sum += Scalar.exponentialSum(values, minus: largest)
            } else if values.contains(where: \.isNaN) {
                sum = .nan
            }
            if blockLargest > threshold {
                for index in values.indices where values[index] > threshold && isOpen(start + index) {
                    Self.insert(Candidate(token: Int32(start + index), logit: Double(values[index])), into: &top)
                    if top.count > count { top.removeLast() }
                    if top.count == count, let last = top.last { threshold = Scalar(last.logit) }
                }
            }
            start = end
        }
        self.top = top
        logSumExp = sum.isFinite && sum > 0 ? Double(largest) + log(sum) : .nan
    }

    private static func insert(_ candidate: Candidate, into top: inout [Candidate]) {
        var place = top.endIndex
        while place > 0, top[place - 1].logit < candidate.logit { place -= 1 }
        top.insert(candidate, at: place)
    }
}

/// The number type of logits.
protocol LogitScalar: BinaryFloatingPoint {
    /// The largest of some values, 16 at a time; NaN may go unseen. At least one value.
    static func largest(_ values: UnsafeBufferPointer<Self>) -> Self
    /// The sum of `exp(value − reference)`, where no value is above the reference by much; NaN where a value is NaN.
    static func exponentialSum(_ values: UnsafeBufferPointer<Self>, minus reference: Self) -> Double
}

extension Double: LogitScalar {
    static func largest(_ values: UnsafeBufferPointer<Double>) -> Double {
        var result = -Double.infinity
        for value in values where value > result { result = value }
        return result
    }

    static func exponentialSum(_ values: UnsafeBufferPointer<Double>, minus reference: Double) -> Double {
        var sum = 0.0
        for value in values { sum += exp(value - reference) }
        return sum
    }
}

extension Float: LogitScalar {
    private typealias Lanes = SIMD16<Float>

    static func largest(_ values: UnsafeBufferPointer<Float>) -> Float {
        let bytes = UnsafeRawBufferPointer(values), whole = values.count / 16
        var lanes = Lanes(repeating: -.infinity)
        for index in 0..<whole {
            let next = bytes.loadUnaligned(fromByteOffset: index * 64, as: Lanes.self)
            lanes.replace(with: next, where: next .> lanes)
        }
        var result = lanes.max()
        for index in whole * 16..<values.count where values[index] > result { result = values[index] }
        return result
    }

    static func exponentialSum(_ values: UnsafeBufferPointer<Float>, minus reference: Float) -> Double {
        let bytes = UnsafeRawBufferPointer(values), whole = values.count / 16
        var sums = Lanes(repeating: 0)
        for index in 0..<whole {
            sums += exponential(bytes.loadUnaligned(fromByteOffset: index * 64, as: Lanes.self) - reference)
        }
        var sum = 0.0
        for lane in 0..<16 { sum += Double(sums[lane]) }
        for index in whole * 16..<values.count { sum += Double(exp(values[index] - reference)) }
        return sum
    }

    /// `e` to the power of values that are at most 88, to 2e-7 of it: 2ⁿ · eʳ, with n the nearest integer to x / ln 2
    /// and
    /// the series of eʳ up to r⁷.
    @inline(__always)
    private static func exponential(_ values: Lanes) -> Lanes {
        // Below, the result would not be a normal number. A comparison is false for NaN, which therefore stays.
        let x = values.replacing(with: -87, where: values .< -87)
        // Added to 1.5 · 2²³ a number is rounded to an integer, which stands in the lowest bits.
        let rounding = Lanes(repeating: 12_582_912)
        let shifted = x * 1.442_695_04 + rounding
        let n = shifted - rounding
        // ln 2 in two parts, the first with few bits, so that n times it is exact.
        let r = x - n * 0.693_359_375 + n * 2.121_944_4e-4
        var series = r * (1 / 5040) + (1 / 720)
        series = series * r + (1 / 120)
        series = series * r + (1 / 24)
        series = series * r + (1 / 6)
        series = series * r + 0.5
        series = series * r + 1
        series = series * r + 1
        let exponent = unsafeBitCast(shifted, to: SIMD16<Int32>.self) &- unsafeBitCast(rounding, to: SIMD16<Int32>.self)
        return series * unsafeBitCast((exponent &+ 127) &<< 23, to: Lanes.self)
    }
}
