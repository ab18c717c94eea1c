import ConcordCheckpoint
import ConcordCore
import ConcordMedia
import ConcordTestSupport
import ConcordText
import Testing

@Suite struct ModelFolderTests {
    private static func golden(_ name: String) -> String { Golden.folder("models") + "/folders/" + name }

    private static func dualEncoder(_ folder: String) throws -> DualEncoderConfiguration {
        guard case .dualEncoder(let configuration) = try ModelFolder(folder).architecture else {
            throw ConcordError(.invalidConfiguration, "not a dual encoder")
        }
        return configuration
    }

    private static func copy(_ names: [String], from source: String, to folder: String) throws {
        for name in names {
            try Files.makeFolder(Files.parent(of: folder + "/" + name))
            try Files.replace(folder + "/" + name, with: Files.read(source + "/" + name))
        }
    }

    @Test func readsSigLIP() throws {
        let folder = try ModelFolder(Self.golden("siglip"))
        var text = TextTransformerConfiguration(
            vocabularySize: 100, width: 16, intermediateWidth: 32, layers: 2, heads: 4, contextLength: 12,
            activation: .tanhGELU, layerNormEpsilon: 1e-6, padToken: 1, startToken: 98, endToken: 1, pooling: .last)
        text.isCausal = false
        text.projection = .linearWithBias
        guard case .dualEncoder(let configuration) = folder.architecture else { return }
        #expect(configuration.text == .transformer(text))
        #expect(configuration.projectionWidth == 16)
        #expect(configuration.initialLogitBias == -10)
        #expect(configuration.vision.pooling == .attention && configuration.vision.activation == .tanhGELU)
        #expect(configuration.vision.patchCount == 16 && !configuration.vision.hasClassToken)
        #expect(folder.layout.family == .huggingFace)
        #expect(folder.preprocessing == nil && folder.manifest == nil)
        let written = try configuration.huggingFaceJSON()
        #expect(try DualEncoderConfiguration(huggingFace: written, path: "again") == configuration)
    }

    /// Pooling, whether there is a pooler, and the longest text; two of these are in no configuration of transformers.
    @Test(arguments: [
        ("bert-cls", BERTConfiguration.Pooling.cls, false), ("bert-mean", .mean, true), ("roberta-mean", .mean, true),
    ])
    func readsSentenceTransformers(
        _ name: String, _ pooling: BERTConfiguration.Pooling, _ hasPooler: Bool
    ) throws {
        let folder = try ModelFolder(Self.golden(name))
        guard case .sentenceEncoder(let configuration) = folder.architecture else {
            Issue.record("\(name) is a sentence encoder")
            return
        }
        #expect(configuration.pooling == pooling)
        #expect(configuration.hasPooler == hasPooler)
        #expect(configuration.contextLength == 10)
        #expect(configuration.projection == .none)
        #expect(configuration.firstPosition == (name == "roberta-mean" ? 2 : 0))
        #expect(folder.preprocessing == nil)
    }

    @Test func readsAPairOfTransformers() throws {
        let configuration = try Self.dualEncoder(Self.golden("vision-text-dual-encoder"))
        guard case .bert(let text) = configuration.text else { return }
        #expect(text.pooling == .pooler && text.projection == .linear && text.hasPooler)
        #expect(configuration.vision.activation == .quickGELU && configuration.projectionWidth == 8)
        let written = try configuration.huggingFaceJSON()
        #expect(try DualEncoderConfiguration(huggingFace: written, path: "again") == configuration)
    }

    @Test func readsATextTowerThatOpenCLIPNames() throws {
        let folder = try ModelFolder(Self.golden("open-clip-bert"))
        guard case .bert(let text) = folder.text else { return }
        #expect(text.width == 16 && text.pooling == .mean && text.projection == .perceptron && !text.hasPooler)
        #expect(text.contextLength == 12)
        #expect(folder.tokenizer.name == "text-tower")
        #expect(folder.tokenizer.cleaning == .whitespace)
        // The same, had its configuration lain beside the weights.
        try withTemporaryFolder { copy in
            try Self.copy(["open_clip_config.json", "open_clip_model.safetensors"], from: folder.path, to: copy)
            try Files.replace(copy + "/config.json", with: Files.read(folder.path + "/text-tower/config.json"))
            #expect(try ModelFolder(copy).architecture == folder.architecture)
        }
    }

    @Test func saysWhereTokenizerAndPreprocessingComeFrom() throws {
        let plain = try ModelFolder(Self.golden("open-clip"))
        #expect(plain.tokenizer.clipMode == .openai && plain.tokenizer.cleaning == nil && plain.tokenizer.name == nil)
        #expect(plain.weights.hasSuffix("/open_clip_model.safetensors"))
        guard case .openCLIP(let document) = plain.preprocessing else {
            Issue.record("open_clip's preprocessing is in its configuration")
            return
        }
        #expect(document["preprocess_cfg"]?["resize_mode"]?.string == "shortest")
        #expect(try ModelFolder(Self.golden("huggingface-clip")).tokenizer.clipMode == .huggingface)
        try withTemporaryFolder { folder in
            let source = Self.golden("open-clip-clipa")
            try Self.copy(["open_clip_model.safetensors"], from: source, to: folder)
            let path = source + "/open_clip_config.json"
            let text = String(decoding: try Files.read(path), as: UTF8.self)
            let settings =
                #""no_causal_mask": true, "hf_tokenizer_name": "bert-base-uncased", "#
                + #""tokenizer_kwargs": {"strip_sep_token": true, "clean": "canonicalize"}"#
            try Files.replace(
                folder + "/open_clip_config.json", with: text.replacing(#""no_causal_mask": true"#, with: settings))
            try Files.makeFolder(folder + "/bert-base-uncased")
            try Files.replace(folder + "/bert-base-uncased/vocab.txt", with: "[PAD]\n")
            let tokenizer = try ModelFolder(folder).tokenizer
            #expect(tokenizer.stripsSeparator && tokenizer.cleaning == .canonicalize)
            #expect(tokenizer.name == "bert-base-uncased" && tokenizer.folder == folder + "/bert-base-uncased")
            try Files.replace(folder + "/tokenizer.json", with: "{}")
            #expect(try ModelFolder(folder).tokenizer.folder == folder)
        }
    }

    /// A folder with both forms is read as transformers' where its weights are safetensors in that form.
    @Test func choosesBetweenBothForms() throws {
        try withTemporaryFolder { folder in
            let own = Self.golden("huggingface-clip-gelu"), other = Self.golden("open-clip")
            try Self.copy(["open_clip_config.json", "open_clip_model.safetensors"], from: other, to: folder)
            try Self.copy(["config.json"], from: own, to: folder)
            try Files.replace(folder + "/pytorch_model.bin", with: "x")
            #expect(try ModelFolder(folder).layout.family == .openCLIP)
            #expect(try CheckpointReader(path: folder).files[0].file.path.hasSuffix("open_clip_model.safetensors"))
            try Self.copy(["model.safetensors"], from: own, to: folder)
            let both = try ModelFolder(folder)
            #expect(both.layout.family == .huggingFace)
            #expect(try CheckpointReader(path: both.weights).files[0].file.path.hasSuffix("/model.safetensors"))
            // transformers' preprocessing where it is, open_clip's otherwise.
            guard case .openCLIP = both.preprocessing else {
                Issue.record("only open_clip's is there")
                return
            }
            try Files.replace(folder + "/preprocessor_config.json", with: #"{"do_resize": true}"#)
            #expect(try ModelFolder(folder).preprocessing == .huggingFace(["do_resize": true]))
        }
    }

    /// One tower of two, with or without a projection, from its configuration and the headers of its weights.
    @Test(arguments: [
        ("clip-text", 16, false), ("clip-text-projection", 8, true), ("siglip-text", 24, true),
    ])
    func readsATextTower(_ name: String, _ width: Int, _ hasProjection: Bool) throws {
        let folder = try ModelFolder(Self.golden(name))
        guard case .textTower(let text, width) = folder.architecture else {
            Issue.record("\(folder.architecture)")
            return
        }
        let isSigLIP = name == "siglip-text"
        #expect((text.projection != .none) == hasProjection && text.layers == 1 && text.contextLength == 12)
        #expect(text.pooling == (isSigLIP ? .last : .firstEndToken) && text.isCausal != isSigLIP)
        #expect(folder.architecture.vision == nil && folder.preprocessing == nil)
        #expect(folder.architecture.configuration.kind == .textTower)
        try reads(folder, backFrom: name)
    }

    @Test(arguments: [
        ("clip-vision", 16, false), ("clip-vision-projection", 8, true), ("siglip-vision", 16, false),
    ])
    func readsAnImageTower(_ name: String, _ width: Int, _ hasProjection: Bool) throws {
        let folder = try ModelFolder(Self.golden(name))
        guard case .imageTower(let vision, width) = folder.architecture else {
            Issue.record("\(folder.architecture)")
            return
        }
        #expect(vision.hasProjection == hasProjection && vision.layers == 1 && vision.imageSize == 16)
        #expect(vision.pooling == (name == "siglip-vision" ? .attention : .classToken))
        #expect(folder.text == nil && folder.architecture.text == nil)
        let manifest = ModelManifest(folder.architecture, tokenizer: nil, crop: .huggingFace)
        #expect(manifest.architecture == .imageTower && manifest.contextLength == nil)
        #expect(try ModelManifest(manifest.json(), path: "") == manifest)
        try reads(folder, backFrom: name)
    }

    /// What is written of a tower is what transformers wrote, and is read as the same.
    private func reads(_ folder: ModelFolder, backFrom name: String) throws {
        let path = Self.golden(name) + "/config.json"
        let original = try JSONValue(parsing: Files.read(path), source: path)
        let documents = try folder.architecture.configuration.documents(
            .huggingFace, .init(dtype: .float32, preprocessing: nil, tokenizer: nil)
        ).documents
        let written = try #require(documents.first?.document)
        for member in written.members ?? [] where member.name != "vision_use_head" {
            #expect(original[member.name] == member.value || member.name == "projection_dim", "\(member.name)")
        }
        try withTemporaryFolder { copy in
            try Files.replace(copy + "/config.json", with: written.text())
            #expect(try ModelFolder(copy).architecture == folder.architecture)
        }
    }

    /// A configuration alone is enough to describe a model.
    @Test func readsAFolderWithoutWeights() throws {
        try withTemporaryFolder { folder in
            try Files.replace(folder + "/config.json", with: "{}")
            #expect(try ModelFolder(folder).parameters.map { $0.shape.reduce(1, *) }.reduce(0, +) == 151_277_313)
        }
    }

    @Test func aSentenceEncoderTakesItsPoolingFromTheManifest() throws {
        try withTemporaryFolder { folder in
            try Self.copy(["config.json", "model.safetensors"], from: Self.golden("bert-mean"), to: folder)
            guard case .sentenceEncoder(var configuration) = try ModelFolder(folder).architecture else { return }
            #expect(configuration.pooling == .mean && configuration.contextLength == 12)
            configuration.pooling = .max
            configuration.contextLength = 7
            try ModelManifest(.sentenceEncoder(configuration), tokenizer: nil, crop: nil).write(folder: folder)
            #expect(try ModelFolder(folder).architecture == .sentenceEncoder(configuration))
        }
    }

    /// Models that transformers has no class for keep Concord's own configuration, which says all.
    @Test func keepsWhatTransformersCannotSay() throws {
        var text = BERTConfiguration(vocabularySize: 50, width: 16, intermediateWidth: 32, layers: 1, heads: 2)
        text.pooling = .mean
        text.projection = .perceptron
        text.hasPooler = false
        text.contextLength = 20
        var configuration = DualEncoderConfiguration(
            text: .bert(text), projectionWidth: 8, initialLogitScale: 1, initialLogitBias: -3)
        configuration.vision.pooling = .average
        configuration.vision.normalizesAfterPooling = true
        configuration.vision.hasFixedPositions = true
        configuration.vision.layerScale = 0.25
        let json = configuration.configurationJSON()
        #expect(json["model_type"]?.string == "concord-dual-encoder")
        #expect(try DualEncoderConfiguration(huggingFace: json, path: "") == configuration)
        configuration.text = .transformer(.init(endToken: 2, pooling: .first))
        let other = configuration.configurationJSON()
        #expect(try DualEncoderConfiguration(huggingFace: other, path: "") == configuration)
        #expect(DualEncoderConfiguration().configurationJSON()["model_type"]?.string == "clip")
    }

    @Test func saysWhyTransformersCannotHaveAModel() throws {
        func refused(_ message: String, _ change: (inout DualEncoderConfiguration) -> Void) {
            var configuration = DualEncoderConfiguration()
            change(&configuration)
            let error = #expect(throws: ConcordError.self) { try configuration.huggingFaceJSON() }
            #expect(error?.code == .invalidConfiguration)
            #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
        }
        func text(_ change: (inout TextTransformerConfiguration) -> Void) -> TextTowerConfiguration {
            var text = TextTransformerConfiguration()
            change(&text)
            return .transformer(text)
        }
        refused("pools by `average`") { $0.vision.pooling = .average }
        refused("fixed positions") { $0.vision.hasFixedPositions = true }
        refused("first norm") { $0.vision.hasPreNorm = false }
        refused("layer scale") { $0.vision.layerScale = 1 }
        refused("logits have a bias") { $0.initialLogitBias = 0 }
        refused("causal") { $0.vision.pooling = .attention }
        refused("does not pool by `first`") { $0.text = text { $0.pooling = .first } }
        refused("not causal") { $0.text = text { $0.isCausal = false } }
        refused("has layer scale") { $0.text = text { $0.layerScale = 1 } }
        refused("no bias") { $0.text = text { $0.projection = .linearWithBias } }
        // 2 stands for the largest id there.
        refused("does not pool by `firstEndToken`") { $0.text = text { $0.endToken = 2 } }
        refused("pools by `mean`") { $0.text = .bert(.init()) }
    }

    /// What a folder holds, and what the refusal says.
    @Test(arguments: [
        ([String: String](), "none of config.json, open_clip_config.json and modules.json"),
        (["open_clip_config.json": "{}"], "`model_cfg` is missing"),
        (["config.json": #"{"error": "Invalid credentials"}"#], "a server's answer: `Invalid credentials`"),
        (["config.json": "<html>"], "config.json is an HTML page"),
        (["config.json": #"{"model_type": "siglip2"}"#], "one image size"),
        (["config.json": #"{"model_type": "coca"}"#], "no model that can be read"),
        (["config.json": #"{"model_type": "siglip", "vision_config": {"vision_use_head": false}}"#], "no vector"),
        (["config.json": #"{"model_type": "bert", "position_embedding_type": "relative_key"}"#], "`absolute`"),
        (["config.json": #"{"model_type": "bert", "is_decoder": true}"#], "only encoders"),
        (["config.json": #"{"model_type": "bert", "hidden_act": "selu"}"#], "known are: quick_gelu, gelu"),
        (
            ["config.json": #"{"model_type": "vision-text-dual-encoder", "vision_config": {"model_type": "vit"}}"#],
            "only `clip_vision_model`"
        ),
        (
            [
                "config.json":
                    #"{"model_type": "vision-text-dual-encoder", "vision_config": {"model_type": "clip"}, "#
                    + #""text_config": {"model_type": "distilbert"}}"#
            ], "known are: bert, roberta, xlm-roberta"
        ),
        (["config.json": "{}", "model.safetensors": "x"], "not a valid safetensors file"),
        (
            ["config.json": "{}", "model.safetensors": "version https://git-lfs.github.com/spec/v1\n"],
            "Git LFS pointer"
        ),
        (["modules.json": "{}"], "must be an object, not null"),
        (["modules.json": #"[{"type": "sentence_transformers.models.Transformer"}]"#], "lists the modules Transformer"),
        (
            [
                "modules.json":
                    #"[{"type": "a.Transformer"}, {"type": "a.Pooling", "path": "1_Pooling"}, {"type": "a.Dense"}]"#
            ], "Transformer, Pooling, Dense"
        ),
        (["modules.json": #"[{"type": "a.Transformer", "path": "../x"}]"#], "leads out of the folder"),
    ])
    func refuses(_ files: [String: String], _ message: String) throws {
        try withTemporaryFolder { folder in
            for (name, text) in files { try Files.replace(folder + "/" + name, with: text) }
            let error = #expect(throws: ConcordError.self) { try ModelFolder(folder) }
            #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
        }
    }

    /// A pooling's configuration, and what comes of it.
    @Test(arguments: [
        (#"{"pooling_mode": "cls", "embedding_dimension": 16}"#, BERTConfiguration.Pooling.cls),
        (#"{"pooling_mode": ["max"]}"#, .max), (#"{"pooling_mode_mean_sqrt_len_tokens": true}"#, .mean), ("{}", .mean),
        (#"{"pooling_mode": "mean", "pooling_mode_cls_token": true}"#, .mean),
        (#"{"pooling_mode": "lasttoken"}"#, nil), (#"{"pooling_mode": ["mean", "cls"]}"#, nil),
        (#"{"pooling_mode_cls_token": true, "pooling_mode_max_tokens": true}"#, nil),
    ])
    func readsPoolings(_ text: String, _ pooling: BERTConfiguration.Pooling?) throws {
        try withTemporaryFolder { folder in
            try Self.copy(["config.json", "modules.json"], from: Self.golden("bert-mean"), to: folder)
            try Files.makeFolder(folder + "/1_Pooling")
            try Files.replace(folder + "/1_Pooling/config.json", with: text)
            if let pooling {
                guard case .sentenceEncoder(let configuration) = try ModelFolder(folder).architecture else { return }
                #expect(configuration.pooling == pooling)
            } else {
                let error = #expect(throws: ConcordError.self) { try ModelFolder(folder) }
                #expect(error?.message.contains("supported are: mean, cls, max") == true)
            }
        }
    }

    /// The newer form of the folder, with a tower in a folder of its own, and what is done to texts.
    @Test func readsASentenceEncoderWithItsTowerWithin() throws {
        try withTemporaryFolder { folder in
            let tower = folder + "/0_Transformer"
            try Self.copy(["config.json", "model.safetensors"], from: Self.golden("bert-mean"), to: tower)
            let modules =
                #"[{"type": "a.b.transformer.Transformer", "path": "0_Transformer"}, "#
                + #"{"type": "a.b.pooling.Pooling", "path": "1_Pooling"}]"#
            try Files.replace(folder + "/modules.json", with: modules)
            try Files.makeFolder(folder + "/1_Pooling")
            try Files.replace(folder + "/1_Pooling/config.json", with: "{}")
            let options = #"{"max_seq_length": 400, "do_lower_case": true}"#
            try Files.replace(tower + "/sentence_bert_config.json", with: options)
            let model = try ModelFolder(folder)
            #expect(model.weights == tower && model.tokenizer.folder == tower && model.tokenizer.lowercases)
            // 400 is more than the table of positions has.
            #expect(model.text?.contextLength == 12)
            try Files.replace(
                folder + "/config_sentence_transformers.json", with: #"{"default_prompt_name": "query"}"#)
            let error = #expect(throws: ConcordError.self) { try ModelFolder(folder) }
            #expect(error?.message.contains("a prompt before every text") == true)
        }
    }
}
