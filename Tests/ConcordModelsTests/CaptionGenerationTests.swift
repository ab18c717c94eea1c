import ConcordCheckpoint
import ConcordCore
import ConcordModels
import ConcordTensor
import ConcordTestSupport
import ConcordText
import Foundation
import Testing

/// Captions against searches that read the whole caption again for each token, without a cache; in float64.
@Suite struct CaptionGenerationTests {
    /// Token 0 is padding, which never comes.
    ///
    /// The golden folders' models with a language head whose logits differ enough to stop captions at different tokens.
    struct Fixture {
        let model: CoCa
        let pixels: Tensor
        let pictures: Tensor

        init(_ name: String) throws {
            let golden = try CoCaGolden(name), model = try golden.model(.float64), pixels = golden.pixels(.float64)
            pictures = withoutGradient {
                model.languageHead.formMultiply(40)
                return model.encodeImages(pixels).tokens
            }
            self.model = model
            self.pixels = pixels
        }

        /// Logarithms of the probabilities of all tokens behind a caption.
        func logProbabilities(_ picture: Int, _ tokens: [Int32]) -> [Double] {
            withoutGradient {
                let ids = Tensor(tokens.map(Int64.init), shape: [1, tokens.count])
                let states = model.decoder(
                    model.encodeTexts(ids).states, imageTokens: pictures.sliced(axis: 0, from: picture, to: picture + 1)
                )
                let logits = model.tokenLogits(states.selected(axis: 1, at: -1))
                return logits.logSoftmax(axis: 1).scalars(as: Double.self)
            }
        }

        /// The caption of the most probable tokens, and their logarithms of probabilities.
        func greedy(_ picture: Int, prompt: [Int32], maxTokens: Int, stops: [Int32]) -> ([Int32], [Double]) {
            var tokens = [Int32](), values = [Double]()
            while tokens.count < maxTokens {
                let all = logProbabilities(picture, prompt + tokens)
                let best = (1..<12).max { all[$0] < all[$1] } ?? 0
                tokens.append(Int32(best))
                values.append(all[best])
                if stops.contains(Int32(best)) { break }
            }
            return (tokens, values)
        }

        /// The beams of a search that sorts everything: tokens, logarithms of probabilities, and score.
        func beams(
            _ picture: Int, prompt: [Int32], width: Int, maxTokens: Int, stop: Int32, lengthPenalty: Double
        ) -> [([Int32], [Double], Double)] {
            var running: [([Int32], [Double])] = [([], [])], finished = [([Int32], [Double], Double)]()
            for step in 1...maxTokens {
                var all = [([Int32], [Double])]()
                for (tokens, values) in running {
                    for (token, value) in logProbabilities(picture, prompt + tokens).enumerated().dropFirst() {
                        all.append((tokens + [Int32(token)], values + [value]))
                    }
                }
                all.sort { $0.1.reduce(0, +) > $1.1.reduce(0, +) }
                let score = { (values: [Double]) in values.reduce(0, +) / pow(Double(step), lengthPenalty) }
                for (tokens, values) in all.prefix(width) where tokens.last == stop || step == maxTokens {
                    finished.append((tokens, values, score(values)))
                }
                finished = Array(finished.sorted { $0.2 > $1.2 }.prefix(width))
                running = Array(all.filter { $0.0.last != stop }.prefix(width))
                if finished.count == width, score(running[0].1) <= finished[width - 1].2 { break }
            }
            return finished
        }
    }

    /// Start tokens of several lengths. The model's vocabulary has 12 tokens, its context 8.
    static let prompts: [[Int32]] = [[10, 3], [10], [10, 4, 4, 7]]

    @Test(arguments: CoCaGolden.names)
    func greedyIsThatWithoutCache(_ name: String) throws {
        let fixture = try Fixture(name)
        var lengths = Set<Int>()
        for stops in [[11], [2, 5], [1, 8, 9]] as [[Int32]] {
            for prompts in [Self.prompts, [[10], [10], [10]]] {
                let requests = prompts.map {
                    GenerationRequest(
                        prompt: $0, options: GenerationOptions(maxTokens: 8 - $0.count, stopTokens: stops))
                }
                let results = try fixture.model.makeGenerator(for: fixture.pixels, requests: requests).run()
                for (picture, prompt) in prompts.enumerated() {
                    let (tokens, values) = fixture.greedy(
                        picture, prompt: prompt, maxTokens: 8 - prompt.count, stops: stops)
                    let result = results[picture][0]
                    #expect(result.tokens == tokens)
                    expectClose(result.tokenLogProbabilities, values, absolute: 1e-10)
                    #expect(result.finishReason == (stops.contains(tokens.last!) ? .stop : .length))
                    lengths.insert(tokens.count)
                }
            }
        }
        #expect(lengths.count > 2)
    }

    @Test(arguments: CoCaGolden.names, [(2, 1.0), (3, 0.0), (6, 2.0)])
    func beamsAreThoseWithoutCache(_ name: String, _ beam: (width: Int, penalty: Double)) throws {
        let fixture = try Fixture(name)
        for prompts in [Self.prompts, [[10], [10], [10]]] {
            for stop in [11, 5] as [Int32] {
                let requests = prompts.map {
                    GenerationRequest(
                        prompt: $0,
                        options: GenerationOptions(
                            strategy: .beam(width: beam.width, lengthPenalty: beam.penalty),
                            maxTokens: 8 - $0.count, resultCount: beam.width, stopTokens: [stop]))
                }
                let results = try fixture.model.makeGenerator(for: fixture.pixels, requests: requests).run()
                for (picture, prompt) in prompts.enumerated() {
                    let found = fixture.beams(
                        picture, prompt: prompt, width: beam.width, maxTokens: 8 - prompt.count, stop: stop,
                        lengthPenalty: beam.penalty)
                    #expect(results[picture].map(\.tokens) == found.map(\.0))
                    for (result, found) in zip(results[picture], found) {
                        expectClose(result.tokenLogProbabilities, found.1, absolute: 1e-10)
                        expectClose([result.score], [found.2], absolute: 1e-10)
                    }
                }
            }
        }
    }

    /// A picture's captions are those it has alone, drawn or searched for, whatever its neighbours ask.
    @Test func picturesDoNotMixInABatch() throws {
        let fixture = try Fixture("coca")
        let strategies: [GenerationStrategy] = [
            .sample(temperature: 0.7, topK: 7, topP: 0.95, seed: 3), .beam(width: 6, groups: 2, diversityPenalty: 0.5),
            .sample(seed: 9), .greedy, .beam(width: 5),
        ]
        for turn in 0..<5 {
            let requests = (0..<3).map { picture in
                let strategy = strategies[(picture + turn) % 5]
                return GenerationRequest(
                    prompt: Self.prompts[picture],
                    options: GenerationOptions(
                        strategy: strategy, maxTokens: 4, resultCount: strategy == .greedy ? 1 : 3,
                        repetitionPenalty: 1.1, stopTokens: [11, 2]))
            }
            let together = try fixture.model.makeGenerator(for: fixture.pixels, requests: requests).run()
            for picture in 0..<3 {
                let alone = try fixture.model.makeGenerator(
                    for: fixture.pixels.sliced(axis: 0, from: picture, to: picture + 1), requests: [requests[picture]]
                ).run()
                #expect(together[picture].map(\.tokens) == alone[0].map(\.tokens))
                for (together, alone) in zip(together[picture], alone[0]) {
                    expectClose([together.score], [alone.score], absolute: 1e-10)
                }
            }
        }
    }

    /// A request without prompt and stop tokens has the configuration's; nothing records gradients.
    @Test func startAndEndAreTheModelsOwn() throws {
        let fixture = try Fixture("coca"), text = fixture.model.configuration.text
        let start = Int32(text.startToken), end = Int32(text.endToken)
        let options = GenerationOptions(strategy: .beam(width: 3), maxTokens: 7)
        let captions = try fixture.model.captions(of: fixture.pixels, options: options)
        var explicit = options
        explicit.stopTokens = [end]
        #expect(captions == (try fixture.model.captions(of: fixture.pixels, prompt: [start], options: explicit)))
        #expect(captions.count == 3)
    }

    @Test func streamIsTheResults() async throws {
        let options = GenerationOptions(maxTokens: 6)
        let all = try {
            let fixture = try Fixture("coca")
            return try fixture.model.captions(of: fixture.pixels, options: options).map { $0[0].tokens }
        }()
        let stream = TokenStream { () throws(ConcordError) in
            let fixture: Fixture
            do { fixture = try Fixture("coca") } catch { throw ConcordError(.fileSystem, "\(error)") }
            return try fixture.model.makeGenerator(
                for: fixture.pixels, requests: Array(repeating: GenerationRequest(options: options), count: 3))
        }
        var tokens = [[Int32]](repeating: [], count: 3)
        for try await update in stream { tokens[update.item] += update.tokens }
        #expect(tokens == all)
    }

    @Test(arguments: [
        ([0, 3, 4, 4], ConcordError.Code.emptyBatch, "no images"),
        ([1, 3, 5, 4], .shapeMismatch, "images [1, 3, 5, 4] for a model that reads [batch, 3, 4, 4]"),
        ([1, 1, 4, 4], .shapeMismatch, "images [1, 1, 4, 4] for"),
        ([3, 4, 4], .shapeMismatch, "images [3, 4, 4] for"),
        ([], .shapeMismatch, "images [] for"),
    ])
    func picturesThatDoNotFit(_ shape: [Int], _ code: ConcordError.Code, _ message: String) throws {
        let model = try CoCaGolden("coca").model(.float32)
        let error = #expect(throws: ConcordError.self) {
            try model.captions(of: .zeros(shape), options: GenerationOptions(maxTokens: 2))
        }
        #expect(error?.code == code)
        #expect(error?.message.hasPrefix(message) == true)
    }

    @Test func captionsLongerThanTheContext() throws {
        let model = try CoCaGolden("coca").model(.float32)
        let error = #expect(throws: ConcordError.self) {
            try model.captions(of: .zeros([2, 3, 4, 4]), options: GenerationOptions(maxTokens: 8))
        }
        #expect(
            error?.message.hasPrefix("item 0: a prompt of 1 tokens and 8 new ones do not fit the context of 8") == true)
    }
}
