import ConcordCore
import ConcordTestSupport
import ConcordText
import Testing

/// Searches over a model that is a formula, against transformers' `generate`; `scripts/golden/make_generation.py` made the
/// file.
@Suite struct GenerationParityTests {
    @Test func searchesFindWhatTransformersFinds() throws {
        let document = try Golden.json("generation.json")
        let prompts = (document["prompts"]?.elements ?? []).map(\.ids), cases = document["cases"]?.elements ?? []
        #expect(prompts.count == 4 && cases.count == 19)
        for golden in cases {
            func number(_ key: String) throws -> Double { try #require(golden[key]?.double) }
            let width = Int(try number("width"))
            let options = GenerationOptions(
                strategy: width == 1
                    ? .greedy : .beam(width: width, lengthPenalty: try number("length_penalty")),
                maxTokens: Int(try number("max")), minTokens: Int(try number("min")), resultCount: min(width, 3),
                repetitionPenalty: try number("repetition_penalty"), stopTokens: golden["stops"]?.ids,
                allowedTokens: golden["allowed"]?.elements == nil ? nil : golden["allowed"].map { Set($0.ids) })
            let session = ScriptedSession(keys: [0, 0, 0, 0], isDouble: false) { _, tokens in Self.logits(tokens) }
            let results = try TokenGenerator(
                session, requests: prompts.map { GenerationRequest(prompt: $0, options: options) }
            ).run()
            let expected = try #require(golden["results"]?.elements)
            for (results, expected) in zip(results, expected) {
                let expected = expected.elements ?? []
                #expect(results.map(\.tokens) == expected.map { $0.elements?[0].ids }, "\(options)")
                // The peer adds up in single precision, and the file has six digits.
                let scores = expected.compactMap { $0.elements?[1].double }
                if width > 1 { expectClose(results.map(\.score), scores, absolute: 2e-6, relative: 1e-6, "\(options)") }
            }
        }
    }

    /// The script's formula.
    static func logits(_ tokens: [Int32]) -> [Double] {
        let start = tokens.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        return (0..<ScriptedSession.size).map { index in
            var z = start &+ UInt64(index + 1) &* 0x9E37_79B9_7F4A_7C15
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            z ^= z >> 31
            return 3 * (Double(z >> 40) / Double(1 << 23) - 1)
        }
    }
}
