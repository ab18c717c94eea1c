import ConcordCore
import ConcordTestSupport
import ConcordText
import Foundation
import Testing

/// Greedy and beam search over a scripted model, against searches written plainly.
@Suite struct SearchTests {
    static let keys: [UInt64] = [3, 1, 4, 15]

    static func generate(
        _ requests: [GenerationRequest], keys: [UInt64] = keys, isDouble: Bool = true
    ) throws -> [[GeneratedTokens]] {
        try TokenGenerator(ScriptedSession(keys: keys, isDouble: isDouble), requests: requests).run()
    }

    static func plain(_ key: UInt64, _ options: GenerationOptions, prompt: [Int32]? = nil) -> PlainSearch {
        PlainSearch(
            prompt: prompt ?? [ScriptedSession.start], maxTokens: options.maxTokens, minTokens: options.minTokens,
            stops: Set(options.stopTokens ?? [ScriptedSession.end]), allowed: options.allowedTokens,
            penalty: options.repetitionPenalty, logits: { ScriptedSession.logits(key, $0) })
    }

    static func expect(
        _ results: [GeneratedTokens], _ found: [PlainSearch.Found], stops: Set<Int32> = [ScriptedSession.end],
        absolute: Double = 1e-12, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(results.map(\.tokens) == found.map(\.tokens), sourceLocation: sourceLocation)
        for (result, found) in zip(results, found) {
            expectClose(
                result.tokenLogProbabilities, found.logProbabilities, absolute: absolute, sourceLocation: sourceLocation
            )
            expectClose([result.score], [found.score], absolute: absolute, sourceLocation: sourceLocation)
            #expect(
                result.finishReason == (result.tokens.last.map(stops.contains) == true ? .stop : .length),
                sourceLocation: sourceLocation)
        }
    }

    /// Options of all kinds, alone and together.
    static let variants = [
        GenerationOptions(maxTokens: 12), GenerationOptions(maxTokens: 12, minTokens: 7),
        GenerationOptions(maxTokens: 9, repetitionPenalty: 1.7),
        GenerationOptions(maxTokens: 9, minTokens: 2, stopTokens: [12, 5, 0]),
        GenerationOptions(maxTokens: 8, allowedTokens: [1, 4, 7]),
        GenerationOptions(maxTokens: 7, repetitionPenalty: 0.6, stopTokens: []),
        GenerationOptions(
            maxTokens: 10, minTokens: 3, repetitionPenalty: 3, stopTokens: [12, 2], allowedTokens: [8, 9, 3]),
        GenerationOptions(maxTokens: 1),
    ]

    @Test(arguments: variants)
    func greedyIsTheMostProbableTokenEachTime(_ options: GenerationOptions) throws {
        let results = try Self.generate(Self.keys.map { _ in GenerationRequest(options: options) })
        for (key, result) in zip(Self.keys, results) {
            var found = Self.plain(key, options).greedy()
            found.score = found.logProbabilities.reduce(0, +)
            Self.expect(result, [found], stops: Set(options.stopTokens ?? [ScriptedSession.end]))
            #expect(result[0].logProbability == result[0].score)
        }
        // The captions of the first variant stop at different places.
        if options == Self.variants[0] { #expect(Set(results.map { $0[0].tokens.count }).count > 2) }
    }

    @Test(arguments: variants, [(1, 1.0), (2, 0.0), (3, 1.0), (6, 2.5), (6, -1.0), (20, 0.7)])
    func beamsAreThoseOfThePlainSearch(_ variant: GenerationOptions, _ beam: (width: Int, penalty: Double)) throws {
        var options = variant
        options.strategy = .beam(width: beam.width, lengthPenalty: beam.penalty)
        options.resultCount = beam.width
        let results = try Self.generate(Self.keys.map { _ in GenerationRequest(options: options) })
        for (key, result) in zip(Self.keys, results) {
            let plain = Self.plain(key, options)
            let found = plain.beams(width: beam.width, lengthPenalty: beam.penalty)
            #expect(!found.isEmpty)
            Self.expect(result, found, stops: plain.stops)
        }
    }

    @Test(arguments: [(6, 3, 0.5), (6, 2, 2.0), (4, 4, 1.0), (9, 3, 0.1)])
    func diverseGroupsAreThoseOfThePlainSearch(_ beams: (width: Int, groups: Int, penalty: Double)) throws {
        for minTokens in [0, 5] {
            let options = GenerationOptions(
                strategy: .beam(width: beams.width, groups: beams.groups, diversityPenalty: beams.penalty),
                maxTokens: 8, minTokens: minTokens, resultCount: beams.width)
            let results = try Self.generate(Self.keys.map { _ in GenerationRequest(options: options) })
            for (key, result) in zip(Self.keys, results) {
                let found = Self.plain(key, options).groupedBeams(
                    width: beams.width, groups: beams.groups, diversity: beams.penalty, results: beams.width)
                Self.expect(result, found)
            }
        }
    }

    /// With a penalty that nothing outweighs, beams of groups of one never agree on a token in a step.
    @Test func groupsDiffer() throws {
        let options = GenerationOptions(
            strategy: .beam(width: 4, groups: 4, diversityPenalty: 100), maxTokens: 5, minTokens: 5, resultCount: 4)
        let results = try Self.generate([GenerationRequest(options: options)], keys: [9])[0]
        #expect(results.count == 4)
        for step in 0..<5 { #expect(Set(results.map { $0.tokens[step] }).count == 4) }
    }

    /// A search that is wide enough leaves nothing out.
    @Test(arguments: [0, 1, -0.5, 2])
    func wideBeamsFindAll(_ lengthPenalty: Double) throws {
        let options = GenerationOptions(
            strategy: .beam(width: 121, lengthPenalty: lengthPenalty), maxTokens: 4, resultCount: 121,
            allowedTokens: [2, 3, 9])
        let all = Self.plain(7, options).all(lengthPenalty: lengthPenalty)
        #expect(all.count == 1 + 3 + 9 + 27 * 4)
        let results = try Self.generate([GenerationRequest(options: options)], keys: [7])
        Self.expect(results[0], all)
    }

    /// Each request has its own options and its own prompt, and gets what it gets alone.
    @Test func requestsDoNotMixInABatch() throws {
        let prompts: [[Int32]?] = [nil, [11, 3, 4], [11, 3, 4, 5, 1, 1, 2], [5]]
        let strategies: [GenerationStrategy] = [
            .greedy, .beam(width: 4), .sample(temperature: 1.2, topP: 0.9, seed: 5),
            .beam(width: 6, groups: 3, diversityPenalty: 0.4),
        ]
        for turn in 0..<4 {
            let requests = (0..<4).map { item in
                GenerationRequest(
                    prompt: prompts[item],
                    options: GenerationOptions(strategy: strategies[(item + turn) % 4], maxTokens: 6 + 2 * item))
            }
            let together = try Self.generate(requests)
            for item in 0..<4 {
                let alone = try Self.generate([requests[item]], keys: [Self.keys[item]])
                #expect(together[item] == alone[0])
            }
            let greedy = (4 - turn) % 4
            let plain = Self.plain(Self.keys[greedy], requests[greedy].options, prompt: prompts[greedy])
            #expect(together[greedy][0].tokens == plain.greedy().tokens)
        }
    }

    /// Rows leave the batch when they end, prompts are read in as few steps as their lengths allow, and nothing is
    /// reordered without need.
    @Test func sessionIsAskedForNoMoreThanNeeded() throws {
        let session = ScriptedSession(keys: Self.keys)
        let options = GenerationOptions(maxTokens: 12)
        let prompts: [[Int32]] = [[11, 1, 2], [11, 1, 2, 3, 4], [11, 1, 2], [11, 1, 2, 4, 3]]
        let generator = try TokenGenerator(
            session, requests: prompts.map { GenerationRequest(prompt: $0, options: options) })
        let results = try generator.run()
        // The row of a caption of n tokens behind a prompt of p is read until p + n - 1.
        let last = zip(prompts, results).map { $0.count + $1[0].tokens.count - 1 }
        var read = 0
        for (rows, count) in session.reads.map({ ($0[0], $0[1]) }) {
            #expect(rows == last.count { $0 > read })
            read += count
        }
        #expect(session.reads.first == [4, 3])
        #expect(read == last.max())
        #expect(session.selections.count == Set(last).count - 1)
        #expect(generator.isFinished)
        #expect(try generator.next() == nil)
    }

    @Test func singlePrecisionGivesTheSameTokens() throws {
        let strategies: [GenerationStrategy] = [
            .greedy, .beam(width: 5, lengthPenalty: 0.8), .sample(temperature: 0.8, topK: 6, topP: 0.9, seed: 2),
            .sample(seed: 8),
        ]
        for strategy in strategies {
            let requests = Self.keys.map { _ in
                GenerationRequest(options: GenerationOptions(strategy: strategy, repetitionPenalty: 1.2))
            }
            let double = try Self.generate(requests), single = try Self.generate(requests, isDouble: false)
            for (double, single) in zip(double, single) {
                #expect(double.map(\.tokens) == single.map(\.tokens))
                expectClose(
                    single[0].tokenLogProbabilities, double[0].tokenLogProbabilities, absolute: 2e-6, relative: 2e-6)
            }
        }
    }

    /// Vocabularies of all lengths around those of the vectors and blocks that logits are read in, with logits that are
    /// equal, far apart, far from zero and negatively infinite.
    @Test(
        arguments: [1, 15, 16, 17, 1023, 1024, 1025, 2049, 49408],
        [(scale: 3.0, offset: 0.0), (0.001, 5000), (60, -80), (1e5, 0)])
    func vocabulariesOfAllSizes(_ size: Int, _ range: (scale: Double, offset: Double)) throws {
        var random = RandomSource(seed: UInt64(size))
        var logits = (0..<size).map { _ in Float(range.offset + range.scale * (random.normal() * 4).rounded() / 4) }
        for index in stride(from: 3, to: size, by: 7) { logits[index] = -.infinity }
        // The largest stand in the last block.
        if size > 1024 { logits[size - 2] = (logits.max() ?? 0) + 1 }
        let largest = Double(logits.max() ?? 0)
        let sum = logits.map { exp(Double($0) - largest) }.reduce(0, +)
        let ranked = logits.indices.filter { logits[$0] > -.infinity }.sorted {
            (logits[$1], $0) < (logits[$0], $1)
        }
        let options = GenerationOptions(strategy: .beam(width: 40), maxTokens: 1, resultCount: 40, stopTokens: [])
        let results = try TokenGenerator(
            FixedSession(logits), requests: [GenerationRequest(prompt: [0], options: options)]
        ).run()[0]
        #expect(results.map(\.tokens) == ranked.prefix(40).map { [Int32($0)] })
        expectClose(
            results.map(\.score), ranked.prefix(40).map { Double(logits[$0]) - largest - log(sum) }, absolute: 1e-6,
            relative: 1e-12)
    }

    /// Of equals the lowest id comes first, then the lowest beam.
    @Test func tiesGoToTheLowestToken() throws {
        let flat: (UInt64, [Int32]) -> [Double] = { _, _ in [Double](repeating: 0.25, count: 13) }
        for isDouble in [true, false] {
            func run(_ options: GenerationOptions) throws -> [[Int32]] {
                let session = ScriptedSession(keys: [0], isDouble: isDouble, script: flat)
                return try TokenGenerator(session, requests: [GenerationRequest(options: options)]).run()[0].map(
                    \.tokens)
            }
            #expect(try run(GenerationOptions(maxTokens: 2)) == [[0, 0]])
            let beam = GenerationOptions(strategy: .beam(width: 3), maxTokens: 2, resultCount: 3)
            #expect(try run(beam) == [[0, 0], [1, 0], [2, 0]])
        }
    }
}
