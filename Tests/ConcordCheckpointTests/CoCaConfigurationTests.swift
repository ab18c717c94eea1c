import ConcordCheckpoint
import ConcordCore
import ConcordTestSupport
import Testing

/// open_clip's configurations of CoCa, and those that cannot be.
@Suite struct CoCaConfigurationTests {
    static let names = ["coca_ViT-B-32", "coca_ViT-L-14", "coca_base"]

    private static func goldenCase(_ name: String) throws -> JSONValue {
        let cases = try #require(try Golden.json("checkpoint", "open-clip-parameters.json").elements)
        return try #require(cases.first { $0["name"]?.string == name }, "\(name)")
    }

    /// Names and shapes of the full-size models, and their counts.
    @Test(arguments: zip(names, [(629, 253_560_065), (925, 638_452_225), (0, 0)]))
    func predictsTheParametersOfOpenCLIP(_ name: String, _ counts: (tensors: Int, scalars: Int)) throws {
        let item = try Self.goldenCase(name), given = try #require(item["given"])
        let configuration = try CoCaConfiguration(openCLIP: given, path: name)
        let tensors = CheckpointLayout.openCLIP(configuration).tensors(of: configuration.parameters)
        let expected = try #require(item["parameters"]?.members).flatMap { member in
            let numbers = (member.value.elements ?? []).compactMap(\.int)
            return (0..<(numbers.first ?? 0)).map { layer in
                KeyReport.Key(member.name.replacing("*", with: String(layer)), Array(numbers.dropFirst()))
            }
        }
        try KeyReport(expected: expected, found: tensors, ignoring: []).throwIfAny(name)
        if name == "coca_ViT-B-32" {
            #expect(tensors.count == counts.tensors)
            #expect(tensors.map { $0.shape.reduce(1, *) }.reduce(0, +) == counts.scalars)
        }
    }

    @Test func readsWhatOpenCLIPsSay() throws {
        func read(_ name: String) throws -> CoCaConfiguration {
            try CoCaConfiguration(openCLIP: #require(Self.goldenCase(name)["given"]), path: name)
        }
        var base = CoCaConfiguration()
        base.text.classTokenMask = .legacy
        #expect(try read("coca_ViT-B-32") == base)
        let large = try read("coca_ViT-L-14")
        #expect(large.vision.queryPooling == .init(queries: 256, width: 768, heads: 8, layout: .joint))
        #expect(large.vision.width == 1024 && large.vision.heads == 16 && large.vision.patchSize == 14)
        #expect(large.decoder.heads == 12 && large.decoder.width == 768 && large.text.contextLength == 76)
        let plain = try read("coca_base")
        #expect(plain.vision.queryPooling == nil && plain.vision.pooledWidth == 768 && plain.projectionWidth == 512)
        #expect(plain.text.vocabularySize == 64000 && plain.vision.imageSize == 288)
        for name in Self.names {
            let configuration = try read(name)
            let written = try #require(try configuration.openCLIPJSON(preprocessing: [:])["model_cfg"])
            #expect(try CoCaConfiguration(openCLIP: written, path: "") == configuration)
            #expect(try CoCaConfiguration(own: configuration.configurationJSON(), path: "") == configuration)
        }
    }

    /// A member of `model_cfg` set to a value, and what the refusal says.
    @Test(arguments: [
        ("multimodal_cfg", "null", "`multimodal_cfg` in a.json is missing"),
        ("init_logit_bias", "-10", "has no bias"),
        ("vision_cfg.attentional_pool", "\"parallel\"", "vectors of a wrong shape"),
        ("vision_cfg.attn_pooler_queries", "1", "none is left for the decoder"),
        ("vision_cfg.attn_pooler_heads", "7", "cannot have 7 heads"),
        ("vision_cfg.timm_model_name", "\"vit_base\"", "an image tower of timm"),
        ("vision_cfg.pool_type", "\"none\"", "not `none`"),
        ("vision_cfg.attentional_pool", "false", "an image's tokens have 768 channels"),
        ("text_cfg.embed_cls", "false", "has a class token"),
        ("text_cfg.hf_model_name", "\"roberta-base\"", "a text tower of transformers"),
        ("text_cfg.no_causal_mask", "true", "is causal"),
        ("text_cfg.width", "768", "the text tower's states have 768 channels"),
        ("text_cfg.pad_id", "49408", "outside the vocabulary"),
        ("multimodal_cfg.width", "768", "`decoder_config.hidden_size` is 768"),
        ("multimodal_cfg.heads", "7", "not a multiple"),
        ("multimodal_cfg.mlp_ratio", "2", "a ratio of 4"),
        ("multimodal_cfg.context_length", "60", "below the 76 tokens"),
        ("multimodal_cfg.vocab_size", "100", "the text tower's 49408"),
        ("multimodal_cfg.norm_kwargs", "{\"eps\": 1e-6}", "`multimodal_cfg.norm_kwargs`"),
        ("multimodal_cfg.layer", "3", "did you mean `layers`?"),
    ])
    func refuses(_ member: String, _ value: String, _ message: String) throws {
        let path = member.split(separator: ".").map(String.init)
        func set(_ object: JSONValue, _ rest: ArraySlice<String>) throws -> JSONValue {
            guard let name = rest.first else { return try JSONValue(parsing: value) }
            let others = (object.members ?? []).filter { $0.name != name }
            return .object(others + [.init(name, try set(object[name] ?? .object([]), rest.dropFirst()))])
        }
        let given = try set(#require(Self.goldenCase("coca_ViT-B-32")["given"]), path[...])
        let error = #expect(throws: ConcordError.self) { try CoCaConfiguration(openCLIP: given, path: "a.json") }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    /// What open_clip cannot express is said before anything is written.
    @Test func writingRefusesWhatOpenCLIPLacks() {
        let cases: [((inout CoCaConfiguration) -> Void, String)] = [
            ({ $0.vision.queryPooling?.layout = .cascade }, "two poolers"),
            ({ $0.decoder.tiesLanguageHead = true }, "the table of tokens"),
            ({ $0.decoder.intermediateWidth = 512 }, "not 4 times as wide"),
            ({ $0.decoder.activation = .quickGELU }, "another activation"),
        ]
        for (change, message) in cases {
            var configuration = CoCaConfiguration()
            change(&configuration)
            let error = #expect(throws: ConcordError.self) { try configuration.openCLIPJSON(preprocessing: [:]) }
            #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
        }
    }
}
