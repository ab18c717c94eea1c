import ConcordCore
import ConcordTestSupport
import ConcordText
import Foundation
import Testing

/// Draws from a scripted model whose distribution is known.
@Suite struct SamplingTests {
    /// Logarithms of these probabilities, of which token 6 and 2 are equal.
    static let probabilities = [0.05, 0.2, 0.1, 0.002, 0.3, 0.003, 0.1, 0.04, 0.15, 0.005, 0.02, 0.01, 0.02]

    /// How often each token comes first in draws of the strategy with many seeds.
    static func frequencies(
        temperature: Double = 1, topK: Int? = nil, topP: Double = 1, isDouble: Bool = true, count: Int = 4000,
        options: GenerationOptions = GenerationOptions(maxTokens: 1)
    ) throws -> [Double] {
        var counts = [Double](repeating: 0, count: 13)
        let requests = (0..<count).map { seed in
            var options = options
            options.strategy = .sample(temperature: temperature, topK: topK, topP: topP, seed: UInt64(seed))
            return GenerationRequest(options: options)
        }
        let session = ScriptedSession(
            keys: Array(repeating: 0, count: count), isDouble: isDouble,
            script: { _, _ in probabilities.map { log($0) } })
        for result in try TokenGenerator(session, requests: requests).run() {
            counts[Int(result[0].tokens[0])] += 1
            expectClose(
                [result[0].logProbability], [log(probabilities[Int(result[0].tokens[0])])], absolute: 1e-6)
        }
        return counts.map { $0 / Double(count) }
    }

    /// Expects frequencies within four standard deviations, and no draw of what has probability 0.
    static func expect(
        _ frequencies: [Double], _ weights: [Double], count: Double = 4000,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let total = weights.reduce(0, +)
        for (token, pair) in zip(frequencies, weights).enumerated() {
            let probability = pair.1 / total
            let deviation = (probability * (1 - probability) / count).squareRoot()
            #expect(
                abs(pair.0 - probability) <= 4 * deviation, "token \(token): \(pair.0), not \(probability)",
                sourceLocation: sourceLocation)
        }
    }

    static func keeping(_ tokens: Set<Int>, power: Double = 1) -> [Double] {
        probabilities.enumerated().map { tokens.contains($0.offset) ? pow($0.element, power) : 0 }
    }

    /// Quotients that are infinite must make no differences that are no numbers.
    @Test(arguments: [1e-6, 1e-30, 1e-45, 1e-300, .leastNonzeroMagnitude])
    func theLowestTemperaturesDrawTheMostProbable(_ temperature: Double) throws {
        // More large logits than a nucleus is looked for among at first, and none of them 0.
        var logits = (0..<300).map { index -> Float in index % 2 == 0 ? 3 + Float(index) / 100 : -4 }
        logits[123] = 9
        for (topP, topK) in [(1, nil), (0.5, nil), (.leastNonzeroMagnitude, nil), (0.9, 40), (1, 200)]
            as [(Double, Int?)]
        {
            let options = GenerationOptions(
                strategy: .sample(temperature: temperature, topK: topK, topP: topP, seed: 5), maxTokens: 3)
            let results = try TokenGenerator(
                FixedSession(logits), requests: [GenerationRequest(options: options)]
            ).run()
            #expect(results[0][0].tokens == [123, 123, 123], "top-p \(topP), top-k \(topK ?? 0)")
        }
    }

    @Test(arguments: [true, false])
    func drawsHaveTheDistribution(_ isDouble: Bool) throws {
        let all = Set(0..<13)
        Self.expect(try Self.frequencies(isDouble: isDouble), Self.keeping(all))
        Self.expect(try Self.frequencies(temperature: 0.5, isDouble: isDouble), Self.keeping(all, power: 2))
        Self.expect(try Self.frequencies(temperature: 3, isDouble: isDouble), Self.keeping(all, power: 1 / 3))
        Self.expect(try Self.frequencies(topK: 3, isDouble: isDouble), Self.keeping([4, 1, 8]))
        // Of the two that are equal the lower id is kept.
        Self.expect(try Self.frequencies(topK: 4, isDouble: isDouble), Self.keeping([4, 1, 8, 2]))
        Self.expect(try Self.frequencies(topK: 100, isDouble: isDouble), Self.keeping(all))
        // 0.3 + 0.2 is 0.5, which is not yet 0.55.
        Self.expect(try Self.frequencies(topP: 0.55, isDouble: isDouble), Self.keeping([4, 1, 8]))
        Self.expect(try Self.frequencies(topP: 0.49, isDouble: isDouble), Self.keeping([4, 1]))
        Self.expect(try Self.frequencies(topP: 0.01, isDouble: isDouble), Self.keeping([4]))
        Self.expect(try Self.frequencies(topP: 0.999, isDouble: isDouble), Self.keeping(all))
        // Of 0.3, 0.2 and 0.15, the first two are 0.77 of the whole.
        Self.expect(try Self.frequencies(topK: 3, topP: 0.76, isDouble: isDouble), Self.keeping([4, 1]))
        Self.expect(try Self.frequencies(topK: 3, topP: 0.78, isDouble: isDouble), Self.keeping([4, 1, 8]))
        // After the temperature the first three are 0.09, 0.04 and 0.0225 of 0.1804.
        Self.expect(
            try Self.frequencies(temperature: 0.5, topP: 0.7, isDouble: isDouble), Self.keeping([4, 1], power: 2))
    }

    @Test func whatMayNotComeHasNoShare() throws {
        let allowed = GenerationOptions(maxTokens: 1, stopTokens: [12], allowedTokens: [0, 8, 4])
        Self.expect(try Self.frequencies(options: allowed), Self.keeping([0, 4, 8, 12]))
        Self.expect(try Self.frequencies(topP: 0.5, options: allowed), Self.keeping([4]))
        let long = GenerationOptions(maxTokens: 1, minTokens: 1, stopTokens: [4, 1])
        Self.expect(try Self.frequencies(options: long), Self.keeping(Set(0..<13).subtracting([4, 1])))
        Self.expect(try Self.frequencies(topK: 2, options: long), Self.keeping([8, 2]))
    }

    /// Padding is no token, in any strategy, even where the model gives it all.
    @Test(
        arguments: [.greedy, .sample(), .sample(topK: 3), .sample(topP: 0.9), .beam(width: 3)] as [GenerationStrategy])
    func paddingNeverComes(_ strategy: GenerationStrategy) throws {
        let session = ScriptedSession(keys: [1], padToken: 4) { _, tokens in
            (0..<13).map { $0 == 4 ? 50 : $0 == tokens.count ? 25 : 0 }
        }
        let request = GenerationRequest(options: GenerationOptions(strategy: strategy, maxTokens: 6))
        let tokens = try TokenGenerator(session, requests: [request]).run()[0][0].tokens
        #expect(tokens.prefix(3) == [1, 2, 3])
        #expect(!tokens.contains(4) && tokens.suffix(2) == [5, 6])
    }

    /// The start token's logit, log 0.01, is negative: a penalty of 2 doubles it.
    @Test func repetitionLosesItsShare() throws {
        var weights = Self.probabilities
        weights[11] = 0.0001
        let options = GenerationOptions(maxTokens: 1, repetitionPenalty: 2)
        Self.expect(try Self.frequencies(options: options), weights)
    }

    /// A vocabulary of 5000, with nuclei of 1 to nearly all tokens: each draw is the token that lies at the draw's place
    /// when all are sorted.
    @Test(arguments: [0.0002, 0.001, 0.02, 0.2, 3], [0.3, 0.9, 0.9999])
    func nucleiOfAllSizes(_ slope: Double, _ topP: Double) throws {
        // Logits that fall by the slope, in an order that is not that of ids; pairs of neighbours are equal.
        let logits = (0..<5000).map { -slope * Double((($0 * 1237) % 5000) / 2) }
        let ranked = logits.indices.sorted { (-logits[$0], $0) < (-logits[$1], $1) }
        let weights = ranked.map { exp(logits[$0]) }, total = weights.reduce(0, +)
        var size = 0, kept = 0.0
        while kept < topP * total {
            kept += weights[size]
            size += 1
        }
        let requests = (0..<200).map {
            GenerationRequest(
                options: GenerationOptions(strategy: .sample(topP: topP, seed: UInt64($0)), maxTokens: 1))
        }
        let results = try TokenGenerator(FixedSession(logits, rows: 200), requests: requests).run()
        for (seed, result) in results.enumerated() {
            var random = RandomSource(seed: UInt64(seed), stream: 0)
            let target = random.uniform() * kept
            var sum = 0.0
            let rank = weights[..<size].firstIndex {
                sum += $0
                return sum > target
            }
            #expect(result[0].tokens == [Int32(ranked[rank ?? size - 1])])
        }
    }

    @Test func seedsAndResultsHaveStreamsOfTheirOwn() throws {
        func run(_ seed: UInt64, keys: [UInt64], results: Int = 3) throws -> [[[Int32]]] {
            let options = GenerationOptions(strategy: .sample(seed: seed), maxTokens: 10, resultCount: results)
            let session = ScriptedSession(keys: keys)
            let generator = try TokenGenerator(session, requests: keys.map { _ in GenerationRequest(options: options) })
            return try generator.run().map { $0.map(\.tokens) }
        }
        let first = try run(1, keys: [5, 6, 5])
        #expect(first.allSatisfy { Set($0).count == 3 })
        #expect(first == (try run(1, keys: [5, 6, 5])))
        #expect(first[0] == first[2])
        #expect(first[1] == (try run(1, keys: [6]))[0])
        // The first draws are the same whether or not others are asked for.
        #expect(first[1].prefix(2) == (try run(1, keys: [6], results: 2))[0][...])
        #expect(first[0] != (try run(2, keys: [5]))[0])
    }
}
