import ConcordCheckpoint
import ConcordCore
import Testing

/// Fields of fusion: there and back, and what is refused.
@Suite struct FusionConfigurationTests {
    private func read(_ text: String) throws -> FusionConfiguration {
        let json = try JSONValue(parsing: Array(text.utf8), source: "recipe.json")
        return try FusionConfiguration(JSONFields(json, path: "recipe.json", prefix: "fusion."))
    }

    private func refusal(_ text: String, layers: Int = 4) throws -> String {
        let error = try #require(
            #expect(throws: ConcordError.self) { try read(text).validate(layers: layers, path: "recipe.json") })
        #expect(error.code == .invalidConfiguration)
        return error.message
    }

    @Test func fieldsGoThereAndBack() throws {
        let exchanges: [FusionConfiguration.Exchange] = [.full, .bottleneck(tokens: 4), .cross, .latents(count: 9)]
        let combinations: [FusionConfiguration.Combination] = [.mean, .concat, .gated, .attention, .lowRank(rank: 5)]
        for exchange in exchanges {
            for combine in combinations {
                for missing in [FusionConfiguration.Missing.skip, .token, .prompt(tokens: 3)] {
                    let value = FusionConfiguration(
                        at: 2, exchange: exchange, combine: combine, missing: missing,
                        dropout: [.image: 0.25, .audio: 0.5])
                    #expect(try read(value.json.text()) == value)
                    try value.validate(layers: 4, path: "x")
                }
            }
        }
        let plain = try read(#"{"modalities": ["text", "image"], "at": 0}"#)
        #expect(plain == FusionConfiguration(modalities: [.image, .text], at: 0))
        #expect(plain.exchange == .full && plain.combine == .mean && plain.missing == .skip && plain.dropout.isEmpty)
        #expect(
            try read(#"{"modalities": ["a"], "at": 0, "exchange": "bottleneck"}"#).exchange == .bottleneck(tokens: 4))
    }

    @Test func badFieldsAreNamed() throws {
        func with(_ more: String, at: String = "1") -> String {
            #"{"modalities": ["image", "text"], "at": \#(at)\#(more.isEmpty ? "" : ", " + more)}"#
        }
        let cases: [(String, String)] = [
            (#"{"at": 1}"#, "`fusion.modalities` in recipe.json is missing"),
            (#"{"modalities": [], "at": 1}"#, "`fusion.modalities`"),
            (#"{"modalities": ["image", "image"], "at": 1}"#, "image twice"),
            (#"{"modalities": ["Image"], "at": 1}"#, "\"Image\""),
            (#"{"modalities": ["fused"], "at": 1}"#, "\"fused\""),
            (with("", at: "5"), "`fusion.at` is 5"),
            (with("", at: "\"early\""), "`fusion.at`"),
            (with(#""exchange": "partial""#), "`fusion.exchange` in recipe.json is `partial`"),
            (with(#""exchange": {"kind": "full", "tokens": 3}"#), "`fusion.exchange.tokens`"),
            (with(#""exchange": {"kind": "bottleneck", "tokens": -1}"#), "`fusion.exchange.tokens`"),
            (with(#""exchange": {"kind": "latents", "count": 0}"#), "`fusion.exchange.count` is 0"),
            (with(#""combine": "lowrank""#), "`fusion.combine.rank` in recipe.json is missing"),
            (with(#""combine": {"kind": "lowrank", "rank": 0}"#), "`fusion.combine.rank` is 0"),
            (with(#""combine": {"kind": "mean", "rank": 2}"#), "`fusion.combine.rank`"),
            (with(#""missing": "prompt""#, at: "4"), "no layer is left"),
            (with(#""missing": "zero""#), "`fusion.missing` in recipe.json is `zero`"),
            (with(#""dropout": {"audio": 0.2}"#), "`fusion.dropout` has audio"),
            (with(#""dropout": {"image": 1}"#), "`fusion.dropout.image` is 1"),
            (with(#""dropout": {"image": "much"}"#), "`fusion.dropout.image`"),
            (with(#""exchnge": "full""#), "did you mean `exchange`"),
        ]
        for (text, expected) in cases {
            let message = try refusal(text)
            #expect(message.contains(expected), "\(text): \(message)")
        }
    }

    private var model: FusedModelConfiguration {
        FusedModelConfiguration(
            fusion: FusionConfiguration(at: 1, exchange: .cross, combine: .gated, dropout: [.audio: 0.3]),
            inputs: [
                .image: .image(size: 32, patchSize: 8), .text: .text(vocabularySize: 99, contextLength: 20),
                .audio: .speech(bins: 40, channels: 8, convolutions: 3, positions: 64),
            ], classes: 7)
    }

    @Test func modelsGoThereAndBack() throws {
        let read = try FusedModelConfiguration(own: model.configurationJSON(), path: "config.json")
        #expect(read == model && !read.isLate)
        var late = model
        late.fusion.at = late.layers
        #expect(late.isLate)
    }

    @Test func impossibleModelsAreRefused() throws {
        func message(_ change: (inout FusedModelConfiguration) -> Void) throws -> String {
            var changed = model
            change(&changed)
            return try #require(#expect(throws: ConcordError.self) { try changed.validate(path: "config.json") })
                .message
        }
        #expect(try message { $0.inputs[.audio] = nil }.contains("`inputs` describes image, text"))
        #expect(try message { $0.inputs[.image] = .image(size: 4, patchSize: 8) }.contains("image_size"))
        #expect(try message { $0.inputs[.audio] = .speech(bins: 0) }.contains("inputs.audio.bins"))
        #expect(try message { $0.inputs[.audio] = .speech(convolutions: 9) }.contains("inputs.audio.convolutions"))
        #expect(try message { $0.heads = 5 }.contains("5 attention heads"))
        #expect(try message { $0.projectionWidth = 0 }.contains("projection_dim"))
        #expect(try message { $0.classes = -1 }.contains("num_classes"))
    }
}
