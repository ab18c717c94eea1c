import ConcordCheckpoint
import ConcordCore
import ConcordTestSupport
import Testing

/// Against what transformers makes of the same configurations (`scripts/golden/make_checkpoint.py`).
@Suite struct DualEncoderConfigurationTests {
    @Test func resolvesAsTransformersDoes() throws {
        let cases = try #require(try Golden.json("checkpoint", "configurations.json").elements)
        #expect(cases.count == 12)
        for (index, item) in cases.enumerated() {
            let given = try #require(item["given"]), resolved = try #require(item["resolved"])
            let name = "case \(index)", type = given["model_type"]?.string ?? "clip"
            if BERTConfiguration.Family(rawValue: type) != nil {
                let configuration = try BERTConfiguration(huggingFace: given, path: name)
                expect(configuration.huggingFaceJSON(), isPartOf: resolved, name)
                let again = try BERTConfiguration(huggingFace: configuration.huggingFaceJSON(), path: "again")
                #expect(again == configuration)
            } else {
                let configuration = try DualEncoderConfiguration(huggingFace: given, path: name)
                expect(try configuration.huggingFaceJSON(), isPartOf: resolved, name)
                let again = try DualEncoderConfiguration(huggingFace: configuration.huggingFaceJSON(), path: "again")
                #expect(again == configuration)
            }
        }
        let poolings = try cases[..<6].map {
            try Self.pooling(DualEncoderConfiguration(huggingFace: $0["given"] ?? .null, path: ""))
        }
        #expect(poolings == [.firstEndToken, .firstEndToken, .firstEndToken, .argmax, .argmax, .last])
    }

    private static func pooling(_ configuration: DualEncoderConfiguration) -> TextTransformerConfiguration.Pooling? {
        guard case .transformer(let text) = configuration.text else { return nil }
        return text.pooling
    }

    /// Every member that decides what the model is has the value that transformers resolved.
    private func expect(_ written: JSONValue, isPartOf resolved: JSONValue, _ place: String) {
        for member in written.members ?? [] {
            let name = "\(place): \(member.name)"
            // The tower's own copy is not read by CLIPModel; ours repeats the common one.
            // SigLIP's own configuration does not say where logits start.
            if ["architectures", "dtype", "logit_bias_init_value"].contains(member.name)
                || member.name == "logit_scale_init_value" && resolved["model_type"]?.string == "siglip"
                || place.hasSuffix("config") && member.name == "projection_dim"
            {
                continue
            }
            // Two spellings of one thing.
            if resolved[member.name] == "gelu_new" {
                #expect(member.value == "gelu_pytorch_tanh", "\(name)")
            } else if let pair = resolved[member.name]?.elements {
                #expect(pair == [member.value, member.value], "\(name)")
            } else if member.value.members != nil {
                expect(member.value, isPartOf: resolved[member.name] ?? .null, name)
            } else if let number = member.value.double {
                #expect(number == resolved[member.name]?.double, "\(name)")
            } else {
                #expect(member.value == resolved[member.name], "\(name)")
            }
        }
    }

    @Test func readsTheFolderThatTransformersSaved() throws {
        let configuration = try DualEncoderConfiguration(folder: Golden.folder("checkpoint") + "/tiny-clip")
        let expected = DualEncoderConfiguration(
            text: .transformer(
                .init(
                    vocabularySize: 20, width: 8, intermediateWidth: 16, layers: 1, heads: 2, contextLength: 6,
                    activation: .gelu, padToken: 19, startToken: 18, endToken: 19)),
            vision: .init(width: 12, intermediateWidth: 16, layers: 1, heads: 3, imageSize: 8, patchSize: 4),
            projectionWidth: 4)
        #expect(configuration == expected)
        #expect(configuration.vision.patchCount == 4)
    }

    @Test func defaultsAreThoseOfViTB32() throws {
        #expect(try DualEncoderConfiguration(huggingFace: [:], path: "") == DualEncoderConfiguration())
    }

    @Test(arguments: [
        ("not an object", "[]", "must be an object"),
        ("another model", #"{"model_type": "blip"}"#, "known are: clip, siglip"),
        (
            "a string for a number", #"{"projection_dim": "512"}"#,
            "`projection_dim` in config.json must be a whole number from 0, not \"512\""
        ),
        (
            "a fraction", #"{"text_config": {"hidden_size": 8.5}}"#,
            "`text_config.hidden_size` in config.json must be a whole number from 0, not 8.5"
        ),
        (
            "a tower of another kind", #"{"vision_config": 3}"#,
            "`vision_config` in config.json must be an object, not 3"
        ),
        ("a size of zero", #"{"text_config": {"num_hidden_layers": 0}}"#, "`text_config.num_hidden_layers` is 0"),
        ("a negative size", #"{"vision_config": {"hidden_size": -4}}"#, "must be a whole number from 0, not -4"),
        ("an enormous size", #"{"vision_config": {"image_size": 4611686018427387904}}"#, "vision_config.image_size"),
        (
            "heads that do not divide the width", #"{"text_config": {"num_attention_heads": 7}}"#,
            "512 is not a multiple of its 7"
        ),
        (
            "patches larger than the picture", #"{"vision_config": {"patch_size": 300}}"#,
            "224 is below the patch size 300"
        ),
        ("an unknown activation", #"{"text_config": {"hidden_act": "selu"}}"#, "known are: quick_gelu, gelu"),
        (
            "no end token in a small vocabulary", #"{"text_config": {"vocab_size": 100}}"#,
            "`text_config.eos_token_id` in config.json is missing, and 49407"
        ),
        (
            "an end token outside the vocabulary", #"{"text_config": {"vocab_size": 100, "eos_token_id": 100}}"#,
            "`text_config.eos_token_id` is 100, outside the vocabulary of 100"
        ),
        ("several end tokens", #"{"text_config": {"eos_token_id": [1, 2]}}"#, "not [1, 2]"),
        ("no room for text", #"{"text_config": {"max_position_embeddings": 1}}"#, "no room"),
        ("a negative epsilon", #"{"text_config": {"layer_norm_eps": -1e-5}}"#, "layer_norm_eps"),
        ("a repeated member", #"{"projection_dim": 1, "projection_dim": 2}"#, "appears twice"),
    ])
    func refuses(_ name: String, _ text: String, _ message: String) throws {
        let json = try JSONValue(parsing: text)
        let error = #expect(throws: ConcordError.self) {
            try DualEncoderConfiguration(huggingFace: json, path: "config.json")
        }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    /// The tokenizer knows them, and the model looks for none of them.
    @Test(arguments: [
        #"{"vocab_size": 100, "eos_token_id": 99}"#,
        #"{"vocab_size": 100, "eos_token_id": 99, "bos_token_id": 100, "pad_token_id": -1}"#,
        #"{"vocab_size": 100, "eos_token_id": 99, "bos_token_id": null, "pad_token_id": [1, 2]}"#,
        // 2 stands for the largest id.
        #"{"vocab_size": 100, "eos_token_id": 2}"#,
    ])
    func idsThatAreNotUsedDoNotMatter(_ text: String) throws {
        let json = try JSONValue(parsing: #"{"text_config": \#(text)}"#)
        guard case .transformer(let tower) = try DualEncoderConfiguration(huggingFace: json, path: "").text else {
            return
        }
        #expect(tower.endToken == 99 && tower.vocabularySize == 100)
    }

    @Test func theyMatterWhereTheyAreUsed() throws {
        func configuration(_ type: String, _ id: String) throws -> BERTConfiguration {
            try BERTConfiguration(
                huggingFace: JSONValue(parsing: #"{"model_type": "\#(type)", "pad_token_id": \#(id)}"#), path: "")
        }
        #expect(try configuration("bert", "99999999").firstPosition == 0)
        // RoBERTa's positions begin behind it.
        #expect(try configuration("roberta", "5").firstPosition == 6)
        for id in ["9223372036854775807", "511", "-1"] {
            #expect(throws: ConcordError.self) { try configuration("roberta", id) }
        }
        var text = TextTransformerConfiguration(vocabularySize: 100, padToken: 0, startToken: 98, endToken: 99)
        text.classTokenMask = .correct
        func check(_ change: (inout TextTransformerConfiguration) -> Void) throws {
            var changed = text
            change(&changed)
            try CoCaConfiguration(text: changed).validate(path: "")
        }
        try check { _ in }
        for change in [\TextTransformerConfiguration.padToken, \.startToken, \.endToken] {
            #expect(throws: ConcordError.self) { try check { $0[keyPath: change] = 100 } }
        }
    }

    /// Python's json writes them; what nobody reads does not matter.
    @Test func valuesThatAreNoNumbersAreNamedWhereTheyAreRead() throws {
        try withTemporaryFolder { folder in
            func load(_ text: String) throws -> DualEncoderConfiguration {
                try Files.replace(folder + "/config.json", with: [0xEF, 0xBB, 0xBF] + Array(text.utf8))
                return try DualEncoderConfiguration(folder: folder)
            }
            let unread = try load(#"{"initializer_range": NaN, "best": Infinity}"#)
            #expect(unread == DualEncoderConfiguration())
            for (text, message) in [
                (#"{"text_config": {"layer_norm_eps": NaN}}"#, "`text_config.layer_norm_eps`"),
                (#"{"logit_scale_init_value": -Infinity}"#, "must be a number, not −∞"),
                (#"{"vision_config": {"hidden_size": NaN}}"#, "must be a whole number from 0, not NaN"),
            ] {
                let error = #expect(throws: ConcordError.self) { try load(text) }
                #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
            }
        }
    }
}
