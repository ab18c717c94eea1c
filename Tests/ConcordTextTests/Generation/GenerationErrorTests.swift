import ConcordCore
import ConcordText
import Testing

/// Every impossible request is refused, with a message that names what, its value, and what would do.
@Suite struct GenerationErrorTests {
    static let refused: [(GenerationOptions, String)] = [
        (GenerationOptions(maxTokens: 0), "maxTokens is 0; ask for 1 token at least"),
        (
            GenerationOptions(maxTokens: 4, minTokens: 5),
            "minTokens is 5; it is between 0 and the most tokens, which are 4"
        ),
        (GenerationOptions(minTokens: -1), "minTokens is -1; it is between 0 and the most tokens"),
        (GenerationOptions(resultCount: 0), "resultCount is 0; ask for 1"),
        (GenerationOptions(resultCount: 2), "resultCount is 2, but the greedy strategy has one"),
        (GenerationOptions(repetitionPenalty: 0), "repetitionPenalty is 0.0; it is above 0"),
        (GenerationOptions(repetitionPenalty: .nan), "repetitionPenalty is nan"),
        (GenerationOptions(allowedTokens: []), "allowedTokens is empty"),
        (GenerationOptions(strategy: .sample(temperature: 0)), "temperature is 0.0; it is above 0"),
        (GenerationOptions(strategy: .sample(temperature: -1)), "temperature is -1.0; it is above 0"),
        (GenerationOptions(strategy: .sample(topK: 0)), "topK is 0; keep 1 token at least"),
        (GenerationOptions(strategy: .sample(topP: 0)), "topP is 0.0; it is above 0 and at most 1"),
        (GenerationOptions(strategy: .sample(topP: 1.5)), "topP is 1.5; it is above 0 and at most 1"),
        (GenerationOptions(strategy: .beam(width: 0)), "width is 0; use 1 beam at least"),
        (GenerationOptions(strategy: .beam(width: 2), resultCount: 3), "resultCount is 3, more than the 2 beams"),
        (GenerationOptions(strategy: .beam(groups: 0)), "groups is 0; use 1 group at least"),
        (
            GenerationOptions(strategy: .beam(width: 6, groups: 4, diversityPenalty: 1)),
            "width is 6, which does not divide into 4 groups of equal size; use a multiple of 4"
        ),
        (
            GenerationOptions(strategy: .beam(width: 6, groups: 3)),
            "diversityPenalty is 0, and 3 groups of beams would all find the same"
        ),
        (GenerationOptions(strategy: .beam(diversityPenalty: -1)), "diversityPenalty is -1.0; it is 0 or above"),
        (GenerationOptions(strategy: .beam(lengthPenalty: .infinity)), "lengthPenalty is inf; it is a finite number"),
        (GenerationOptions(stopTokens: [13]), "stopTokens has token 13, which is outside the vocabulary of 13"),
        (GenerationOptions(allowedTokens: [40, -2, 5]), "allowedTokens has token -2, which is outside"),
        (
            GenerationOptions(maxTokens: 40),
            "a prompt of 1 tokens and 40 new ones do not fit the context of 40 tokens that the model was made for; "
                + "ask for 39 new ones at most"
        ),
        (GenerationOptions(maxTokens: .max), "do not fit the context of 40"),
        (
            GenerationOptions(strategy: .beam(width: .max)),
            "width is 9223372036854775807; use 1 beam at least and 1024 at most"
        ),
        (GenerationOptions(strategy: .sample(), resultCount: 1025), "ask for 1 result at least and 1024 at most"),
    ]

    @Test(arguments: refused)
    func impossibleOptions(_ options: GenerationOptions, _ message: String) {
        let error = #expect(throws: ConcordError.self) {
            try TokenGenerator(ScriptedSession(keys: [1]), requests: [GenerationRequest(options: options)])
        }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    @Test(
        arguments: [
            ([], "the prompt is empty; it has one token at least"),
            (Array(repeating: 1, count: 40), "a prompt of 40 tokens leaves no room in the context of 40"),
            (Array(repeating: 1, count: 90), "a prompt of 90 tokens leaves no room in the context of 40"),
            (Array(repeating: 1, count: 11), "a prompt of 11 tokens and 30 new ones do not fit the context of 40"),
            ([1, 99], "the prompt has token 99, which is outside the vocabulary of 13"),
        ] as [([Int32], String)])
    func impossiblePrompts(_ prompt: [Int32], _ message: String) {
        let error = #expect(throws: ConcordError.self) {
            try TokenGenerator(
                ScriptedSession(keys: [1, 2]),
                requests: [GenerationRequest(), GenerationRequest(prompt: prompt)])
        }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.hasPrefix("item 1: " + message) == true, "\(error?.message ?? "")")
    }

    @Test func padding() {
        func message(_ request: GenerationRequest) -> String? {
            let session = ScriptedSession(keys: [1], padToken: 4)
            return #expect(throws: ConcordError.self) { try TokenGenerator(session, requests: [request]) }?.message
        }
        #expect(
            message(GenerationRequest(prompt: [11, 4, 2]))
                == "the prompt has token 4, which the model takes for padding; word it without")
        #expect(
            message(GenerationRequest(options: GenerationOptions(stopTokens: [12, 4])))
                == "stopTokens has token 4, which is the model's padding and never comes")
    }

    @Test func asManyRequestsAsRows() {
        let error = #expect(throws: ConcordError.self) {
            try TokenGenerator(ScriptedSession(keys: [1, 2]), requests: [GenerationRequest()])
        }
        #expect(error?.message == "1 requests for a session of 2 rows; give one for each")
    }

    /// Logits that are no numbers end the work with the item's place, whatever the strategy.
    @Test(
        arguments: [
            .greedy, .sample(), .sample(topK: 2), .beam(width: 2),
        ] as [GenerationStrategy], [Double.nan, .infinity])
    func logitsThatAreNoNumbers(_ strategy: GenerationStrategy, _ value: Double) throws {
        for isDouble in [true, false] {
            let session = ScriptedSession(keys: [1, 2], isDouble: isDouble) { key, tokens in
                var logits = ScriptedSession.logits(key, tokens)
                if key == 2, tokens.count == 2 { logits[7] = value }
                return logits
            }
            let request = GenerationRequest(options: GenerationOptions(strategy: strategy, minTokens: 3))
            let generator = try TokenGenerator(session, requests: [request, request])
            _ = try generator.next()
            let error = #expect(throws: ConcordError.self) { try generator.next() }
            #expect(error?.code == .nonFiniteValue)
            #expect(error?.message.hasPrefix("item 1: the model's logits have NaN or infinity") == true)
            #expect(try generator.next() == nil)
        }
    }

    @Test(
        arguments: [.greedy, .sample(), .sample(topK: 2), .sample(topP: 0.5), .beam(width: 2)] as [GenerationStrategy])
    func nothingThatMayCome(_ strategy: GenerationStrategy) throws {
        let session = ScriptedSession(keys: [1]) { _, _ in [Double](repeating: -.infinity, count: 12) + [0] }
        let options = GenerationOptions(strategy: strategy, minTokens: 1)
        let generator = try TokenGenerator(session, requests: [GenerationRequest(options: options)])
        let error = #expect(throws: ConcordError.self) { try generator.run() }
        #expect(error?.message.hasPrefix("item 0: every token that may come next has probability 0") == true)
    }
}
