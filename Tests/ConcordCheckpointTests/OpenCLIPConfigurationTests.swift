import ConcordCheckpoint
import ConcordCore
import ConcordTestSupport
import Testing

@Suite struct OpenCLIPConfigurationTests {
    @Test func readsEveryMember() throws {
        let json = try JSONValue(
            parsing: """
                {"embed_dim": 640, "quick_gelu": true, "custom_text": true, "init_logit_scale": 2.5,
                 "init_logit_bias": -10, "nonscalar_logit_scale": true,
                 "vision_cfg": {"layers": 3, "width": 832, "head_width": 104, "mlp_ratio": 4.9231, "patch_size": 14,
                   "image_size": [28, 28], "ls_init_value": 0.0001, "patch_dropout": 0.5, "no_ln_pre": true,
                   "pos_embed_type": "sin_cos_2d", "final_ln_after_pool": true, "pool_type": "avg",
                   "attentional_pool": false, "norm_kwargs": {"eps": 1e-6}, "block_type": "default"},
                 "text_cfg": {"context_length": 32, "vocab_size": 32000, "width": 64, "heads": 4, "layers": 2,
                   "mlp_ratio": 2, "ls_init_value": 0.1, "pad_id": 5, "eos_id": 7, "no_causal_mask": true,
                   "pool_type": "eos", "proj_bias": true, "hf_tokenizer_name": "bert-base-uncased",
                   "tokenizer_kwargs": {"strip_sep_token": true}, "act_kwargs": null}}
                """)
        var text = TextTransformerConfiguration(
            vocabularySize: 32000, width: 64, intermediateWidth: 128, layers: 2, heads: 4, contextLength: 32,
            padToken: 5, startToken: 31998, endToken: 7)
        text.isCausal = false
        text.layerScale = 0.1
        text.projection = .linearWithBias
        var vision = VisionTransformerConfiguration(
            width: 832, intermediateWidth: 4096, layers: 3, heads: 8, imageSize: 28, patchSize: 14,
            layerNormEpsilon: 1e-6)
        vision.hasPreNorm = false
        vision.hasFixedPositions = true
        vision.layerScale = 0.0001
        vision.pooling = .average
        vision.normalizesAfterPooling = true
        let expected = DualEncoderConfiguration(
            text: .transformer(text), vision: vision, projectionWidth: 640, initialLogitScale: 2.5,
            initialLogitBias: -10)
        #expect(try DualEncoderConfiguration(openCLIP: json, path: "") == expected)
    }

    /// The sizes behind timm's names, against timm's own models.
    @Test func knowsTimmsTowers() throws {
        let towers = try #require(try Golden.json("checkpoint", "timm-towers.json").elements)
        #expect(towers.count == 16)
        for tower in towers {
            let values = tower.elements ?? [], name = try #require(values.first?.string)
            let size = try #require(values[5].int)
            let json: JSONValue = [
                "embed_dim": values[1],
                "vision_cfg": [
                    "timm_model_name": .string(name), "timm_pool": "map", "timm_proj": "none",
                    "image_size": .integer(size),
                ], "text_cfg": ["proj_type": "none", "width": values[1], "heads": values[4]],
            ]
            let vision = try DualEncoderConfiguration(openCLIP: json, path: name).vision
            #expect(
                [
                    vision.width, vision.intermediateWidth, vision.layers, vision.heads, vision.imageSize,
                    vision.patchSize,
                ]
                    == values[1...6].map(\.int), "\(name)")
            #expect(vision.activation.rawValue == values[7].string, "\(name)")
            #expect(vision.layerNormEpsilon == 1e-6 && vision.pooling == .attention && vision.hasPatchBias)
            #expect(!vision.hasClassToken && !vision.hasPreNorm && !vision.hasProjection)
        }
    }

    @Test(arguments: CheckpointLayoutTests.openCLIPNames)
    func readsBackWhatItWrote(_ name: String) throws {
        let cases = try Golden.json("checkpoint", "open-clip-parameters.json").elements ?? []
        let given = try #require(cases.first { $0["name"]?.string == name }?["given"])
        let configuration = try DualEncoderConfiguration(openCLIP: given, path: name)
        let written = try configuration.openCLIPJSON(preprocessing: ["mean": [0, 0, 0]])
        #expect(written["preprocess_cfg"] == ["mean": [0, 0, 0]])
        let model = try #require(written["model_cfg"])
        #expect(try DualEncoderConfiguration(openCLIP: model, path: "again") == configuration)
        // Nothing that the original says is said otherwise.
        for part in ["vision_cfg", "text_cfg"] {
            for member in given[part]?.members ?? [] {
                let other = model[part]?[member.name]
                #expect(
                    other == nil || other == member.value || other?.double == member.value.double
                        || member.name == "mlp_ratio", "\(name): \(part).\(member.name)")
            }
        }
        #expect((model["quick_gelu"]?.bool ?? false) == (given["quick_gelu"]?.bool ?? false))
    }

    @Test(arguments: [
        "open-clip", "open-clip-average", "open-clip-bert", "open-clip-clipa", "open-clip-eos",
        "open-clip-quickgelu-custom-text", "open-clip-tokens",
    ])
    func readsBackAFolder(_ name: String) throws {
        let path = Golden.folder("models") + "/folders/" + name
        guard case .dualEncoder(let configuration) = try ModelFolder(path).architecture else {
            Issue.record("\(name) is a dual encoder")
            return
        }
        let written = try configuration.openCLIPJSON(preprocessing: [:], textModel: "text-tower")
        let model = try #require(written["model_cfg"])
        #expect(try DualEncoderConfiguration(openCLIP: model, path: name, folder: path) == configuration)
        // And through Concord's own form, which says all.
        let own = configuration.configurationJSON()
        #expect(try DualEncoderConfiguration(huggingFace: own, path: name).text.width == configuration.text.width)
        if own["model_type"]?.string == "concord-dual-encoder" {
            #expect(try DualEncoderConfiguration(huggingFace: own, path: name) == configuration)
        }
    }

    /// open_clip cuts `width · mlp_ratio` off; no channel may get lost on the way.
    @Test func ratiosKeepEveryChannel() throws {
        for (width, hidden) in [(768, 3073), (832, 4096), (1152, 4304), (1408, 6144), (49, 1), (7, 10), (1664, 8191)] {
            var configuration = DualEncoderConfiguration(initialLogitScale: 2)
            configuration.vision.width = width
            configuration.vision.heads = 1
            configuration.vision.intermediateWidth = hidden
            let model = try #require(try configuration.openCLIPJSON(preprocessing: [:])["model_cfg"])
            let vision = try DualEncoderConfiguration(openCLIP: model, path: "").vision
            #expect(vision.intermediateWidth == hidden)
        }
    }

    /// A member of `model_cfg` set to a value, and what the refusal says.
    @Test(arguments: [
        ("multimodal_cfg", "{}", "this is a CoCa"),
        ("embed_dim", "null", "`embed_dim` in open_clip_config.json is missing"),
        ("text_cfg", "null", "`text_cfg` in open_clip_config.json is missing"),
        ("audio_cfg", "{}", "`audio_cfg` in open_clip_config.json is not known"),
        ("vision_cfg.layers", "[3, 4, 6, 3]", "ResNets are not supported"),
        ("vision_cfg.image_size", "[224, 256]", "224 × 256; only squares"),
        ("vision_cfg.attentional_pool", "true", "`vision_cfg.attentional_pool`"),
        ("vision_cfg.attentional_pool", "\"parallel\"", "`vision_cfg.attentional_pool`"),
        ("vision_cfg.pool_type", "\"max\"", "known are: tok, avg, none"),
        ("vision_cfg.pos_embed_type", "\"rope\"", "known are: learnable, sin_cos_2d"),
        ("vision_cfg.qk_norm", "true", "`vision_cfg.qk_norm`"),
        ("vision_cfg.block_type", "\"custom\"", "`vision_cfg.block_type`"),
        ("vision_cfg.scale_fc", "true", "`vision_cfg.scale_fc`"),
        ("vision_cfg.norm_kwargs", "{\"elementwise_affine\": false}", "`vision_cfg.norm_kwargs.elementwise_affine`"),
        ("vision_cfg.act_kwargs", "{\"approximate\": \"sigmoid\"}", "known are: tanh, none"),
        ("vision_cfg.registers", "4", "`vision_cfg.registers` in open_clip_config.json is not known"),
        ("vision_cfg.head_width", "0", "a whole number from 1"),
        ("vision_cfg.head_width", "100", "not a multiple"),
        ("vision_cfg.mlp_ratio", "1e300", "`vision_cfg.mlp_ratio`"),
        ("vision_cfg.timm_model_name", "\"eva02_base_patch16_clip_224\"", "of timm's towers these are supported"),
        ("text_cfg.embed_cls", "true", "`text_cfg.embed_cls`"),
        ("text_cfg.output_tokens", "true", "only CoCa"),
        ("text_cfg.pool_type", "\"none\"", "known are: first, last, argmax, eos"),
        ("text_cfg.pool_type", "\"avg\"", "known are: first, last, argmax, eos"),
        ("text_cfg.proj_type", "\"mlp\"", "known are: linear, none"),
        ("text_cfg.scaled_cosine_attn", "true", "`text_cfg.scaled_cosine_attn`"),
        ("text_cfg.contxt_length", "77", "did you mean `context_length`?"),
        ("text_cfg.hf_model_name", "\"google/mt5-base\"", "`google/mt5-base`, whose sizes are in its own config.json"),
        ("text_cfg.hf_model_name", "\"../roberta\"", "`../roberta`, whose sizes are"),
        ("text_cfg.proj_type", "\"none\"", "texts get vectors of 512, without a projection to the space of 600"),
    ])
    func refuses(_ member: String, _ value: String, _ message: String) throws {
        let path = member.split(separator: ".").map(String.init)
        func set(_ object: JSONValue, _ rest: ArraySlice<String>) throws -> JSONValue {
            guard let name = rest.first else { return try JSONValue(parsing: value) }
            let others = (object.members ?? []).filter { $0.name != name }
            return .object(others + [.init(name, try set(object[name] ?? .null, rest.dropFirst()))])
        }
        let plain: JSONValue = ["embed_dim": 600, "vision_cfg": ["patch_size": 32], "text_cfg": [:]]
        _ = try DualEncoderConfiguration(openCLIP: plain, path: "")
        let json = try set(plain, path[...])
        let error = #expect(throws: ConcordError.self) {
            try DualEncoderConfiguration(openCLIP: json, path: "open_clip_config.json")
        }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    /// What a tower of timm or transformers makes of members that are refused only there.
    @Test(arguments: [
        (#"{"timm_pool": "token"}"#, "{}", "pool by `map`"),
        (#"{"timm_proj": null}"#, "{}", "is `null`; supported are: none, linear"),
        (#"{"timm_proj": "mlp"}"#, "{}", "is `mlp`"),
        (#"{"timm_proj": "linear", "timm_proj_bias": true}"#, "{}", "`vision_cfg.timm_proj_bias`"),
        (#"{"image_size": 256}"#, "{}", "`vit_base_patch16_siglip_224` takes images of 224"),
        ("{}", #"{"hf_pooler_type": "max_pooler"}"#, "`text_cfg.hf_pooler_type`"),
        ("{}", #"{"hf_proj_type": "conv"}"#, "known are: linear, mlp"),
        ("{}", #"{"hf_proj_type": null, "hf_model_name": "roberta-large"}"#, "1024 channels must become 768"),
        ("{}", #"{"context_length": 600}"#, "texts of 600 tokens do not fit its 512 positions"),
    ])
    func refusesInForeignTowers(_ vision: String, _ text: String, _ message: String) throws {
        func changed(_ standard: JSONValue, _ changes: String) throws -> JSONValue {
            let new = try JSONValue(parsing: changes).members ?? []
            let kept = (standard.members ?? []).filter { member in !new.contains { $0.name == member.name } }
            return .object(kept + new)
        }
        let visionJSON: JSONValue = [
            "timm_model_name": "vit_base_patch16_siglip_224", "timm_pool": "map", "timm_proj": "none",
            "image_size": 224,
        ]
        let textJSON: JSONValue = ["hf_model_name": "roberta-base", "hf_pooler_type": "cls_pooler"]
        let error = #expect(throws: ConcordError.self) {
            try DualEncoderConfiguration(
                openCLIP: [
                    "embed_dim": 768, "vision_cfg": changed(visionJSON, vision), "text_cfg": changed(textJSON, text),
                ], path: "open_clip_config.json")
        }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    /// Models that open_clip has no class for.
    @Test func saysWhyOpenCLIPCannotHaveAModel() throws {
        func refused(_ message: String, _ change: (inout DualEncoderConfiguration) -> Void) {
            var configuration = DualEncoderConfiguration()
            change(&configuration)
            let error = #expect(throws: ConcordError.self) { try configuration.openCLIPJSON(preprocessing: [:]) }
            #expect(error?.code == .invalidConfiguration)
            #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
        }
        refused("no class token") { $0.vision.hasClassToken = false }
        refused("a bias") { $0.vision.hasPatchBias = true }
        refused("no projection") { $0.vision.hasProjection = false }
        refused("4 channels") { $0.vision.channels = 4 }
        refused("QuickGELU") { $0.vision.activation = .gelu }
        refused("no SigLIP tower of these sizes") { $0.vision.pooling = .attention }
        refused("hub name or the path") {
            var text = BERTConfiguration(width: 512, heads: 8)
            text.hasPooler = false
            $0.text = .bert(text)
        }
        refused("a pooler that it does not use") { $0.text = .bert(.init(width: 512, heads: 8)) }
        refused("does not run") {
            var text = BERTConfiguration()
            text.pooling = .max
            $0.text = .bert(text)
        }
    }
}
