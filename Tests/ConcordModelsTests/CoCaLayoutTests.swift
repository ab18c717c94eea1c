import ConcordCheckpoint
import ConcordCore
import ConcordLosses
import ConcordMedia
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordTestSupport
import ConcordText
import Foundation
import Testing

/// Kinds of CoCa that no peer has, new models, and folders whose files do not belong together.
@Suite struct CoCaLayoutTests {
    static func configuration(
        _ layout: QueryPoolingConfiguration.Layout?, isTied: Bool = false,
        mask: TextTransformerConfiguration.ClassTokenMask = .correct
    ) -> CoCaConfiguration {
        var text = TextTransformerConfiguration(
            vocabularySize: 60, width: 16, intermediateWidth: 32, layers: 2, heads: 4, contextLength: 9,
            activation: .gelu, padToken: 0, startToken: 58, endToken: 59, pooling: .argmax)
        text.classTokenMask = mask
        var vision = VisionTransformerConfiguration(
            width: layout == nil ? 16 : 24, intermediateWidth: 48, layers: 1, heads: 4, imageSize: 16, patchSize: 4,
            activation: .gelu)
        vision.queryPooling = layout.map { .init(queries: 5, width: 16, heads: 2, layout: $0) }
        var decoder = CaptionDecoderConfiguration(width: 16, intermediateWidth: 64, layers: 2, heads: 4)
        decoder.tiesLanguageHead = isTied
        return CoCaConfiguration(text: text, vision: vision, decoder: decoder, projectionWidth: 16)
    }

    static func pixels(_ count: Int = 3) -> Tensor {
        Tensor(FormulaWeights.formula("pixels", count: count * 768), shape: [count, 3, 16, 16])
    }

    static var ids: Tensor {
        Tensor([58, 5, 7, 59, 0, 0, 58, 9, 59, 0, 0, 0, 58, 3, 3, 12, 44, 59], shape: [3, 6])
    }

    /// Every parameter is made, named as the configuration says, and learns from the two losses.
    @Test(arguments: [nil] + QueryPoolingConfiguration.Layout.allCases, [false, true])
    func everyLayoutTrains(_ layout: QueryPoolingConfiguration.Layout?, _ isTied: Bool) throws {
        let configuration = Self.configuration(layout, isTied: isTied)
        try configuration.validate(path: "")
        let model = CoCa(configuration, store: ParameterStore(seed: 3))
        #expect(configuration.parameters == model.store.parameters.map { KeyReport.Key($0.name, $0.tensor.shape) })
        #expect(model.store.parameters.contains { $0.name == "language_head.weight" } != isTied)
        let (embeddings, tokens) = model.encodeImages(Self.pixels())
        #expect(embeddings.shape == [3, 16])
        #expect(tokens.shape == [3, layout == nil ? 16 : layout == .joint ? 4 : 5, 16])
        #expect(tokens.shape[1] == configuration.vision.queryPooling?.tokenCount ?? 16)
        let optimizer = AdamW(model.store.trainable)
        var losses = [Double]()
        for _ in 0..<30 {
            model.store.clearGradients()
            let loss = try CoCaGolden.loss(model, model(Self.pixels(), Self.ids)).total
            loss.backward()
            for parameter in model.store.parameters {
                #expect(parameter.tensor.gradient?.isFinite().all().item() == 1, "\(parameter.name)")
            }
            optimizer.step(learningRate: 3e-3)
            losses.append(loss.item())
        }
        #expect(losses[29] < 0.6 * losses[0], "\(losses)")
    }

    /// The separate poolers differ in what the vector's query sees; neither is the joint one.
    @Test func poolersSeeWhatTheirNameSays() throws {
        func model(_ layout: QueryPoolingConfiguration.Layout) -> CoCa {
            CoCa(Self.configuration(layout), store: ParameterStore(seed: 3, dtype: .float64))
        }
        for layout in [QueryPoolingConfiguration.Layout.parallel, .cascade] {
            let model = model(layout), pixels = Self.pixels().to(.float64)
            model.embedImages(pixels).sum().backward()
            let reached = Set(model.store.parameters.filter { $0.tensor.gradient != nil }.map(\.name))
            #expect(reached.contains("vision_model.contrastive_pool.query"))
            // The vector comes through the tokens' queries or goes past them.
            #expect(reached.contains("vision_model.attention_pool.query") == (layout == .cascade))
        }
    }

    /// Nothing starts from memory as it happens to be; widths are those of open_clip's intention.
    @Test func newModelsAreDrawn() throws {
        var configuration = CoCaConfiguration()
        configuration.text.layers = 2
        configuration.vision.layers = 1
        configuration.decoder.layers = 2
        let one = CoCa(configuration, store: ParameterStore(seed: 1))
        let again = CoCa(configuration, store: ParameterStore(seed: 1))
        func deviation(_ name: String) throws -> Double {
            let tensor = try #require(one.store.parameters.first { $0.name == name }, "\(name)").tensor
            return withoutGradient { tensor.to(.float64).square().mean().item().squareRoot() }
        }
        let width = 1 / 512.0.squareRoot()
        for (name, expected) in [
            ("language_head.weight", width), ("text_decoder.layers.1.self_attn.q_proj.weight", width),
            ("text_decoder.cross_layers.0.cross_attn.k_proj.weight", width),
            ("text_decoder.cross_layers.0.cross_attn.out_proj.weight", width / 2),
            ("text_decoder.cross_layers.1.mlp.fc1.weight", 1 / 1024.0.squareRoot()),
            ("vision_model.attention_pool.query", 1), ("text_model.embeddings.class_embedding", 0.01),
            ("text_projection.weight", width),
        ] {
            let found = try deviation(name)
            #expect(abs(found / expected - 1) < 0.1, "\(name): \(found), not \(expected)")
        }
        for (parameter, other) in zip(one.store.parameters, again.store.parameters) {
            #expect(parameter.tensor.equal(to: other.tensor).all().item() == 1, "\(parameter.name)")
        }
    }

    // Folders

    /// Writes a folder in Concord's own form, with a manifest; `change` edits the configuration that is written.
    private func withFolder(
        _ configuration: CoCaConfiguration, changed change: (inout CoCaConfiguration) -> Void = { _ in },
        manifest: CoCaConfiguration? = nil, _ body: (String) throws -> Void
    ) throws {
        try withTemporaryFolder { folder in
            try CoCa(configuration, store: ParameterStore(seed: 3)).store.save(to: folder + "/model.safetensors")
            var written = configuration
            change(&written)
            try Files.replace(folder + "/config.json", with: written.configurationJSON().text(pretty: true))
            try ModelManifest(.coca(manifest ?? written), tokenizer: .openai, crop: .torchvision).write(folder: folder)
            try body(folder)
        }
    }

    @Test(arguments: [nil] + QueryPoolingConfiguration.Layout.allCases, [false, true])
    func ownFoldersComeBack(_ layout: QueryPoolingConfiguration.Layout?, _ isTied: Bool) throws {
        for mask in TextTransformerConfiguration.ClassTokenMask.allCases {
            let configuration = Self.configuration(layout, isTied: isTied, mask: mask)
            try withFolder(configuration) { path in
                let folder = try ModelFolder(path)
                #expect(folder.architecture == .coca(configuration))
                #expect(folder.manifest?.architecture == .coca)
                #expect(folder.manifest?.quirks.classTokenMask == mask)
                #expect(folder.manifest?.quirks.queryPooling == layout)
                let model = try CoCa.load(path)
                let drawn = CoCa(configuration, store: ParameterStore(seed: 3))
                for (one, other) in zip(model.store.parameters, drawn.store.parameters) {
                    #expect(one.tensor.equal(to: other.tensor).all().item() == 1, "\(one.name)")
                }
            }
        }
    }

    private func message(_ code: ConcordError.Code, _ body: () throws -> Void) -> String {
        let error = #expect(throws: ConcordError.self, performing: body)
        #expect(error?.code == code)
        return error?.message ?? ""
    }

    @Test func weightsWithAnotherPoolerOrHeadAreNamed() throws {
        let cases: [((inout CoCaConfiguration) -> Void, String, String)] = [
            ({ $0.vision.queryPooling?.queries = 9 }, "a pooler of 5 queries", "a pooler of 9 queries"),
            (
                { $0.vision.queryPooling?.layout = .cascade }, "a pooler of 5 queries,",
                "a pooler of 5 queries and one of a single query"
            ),
            ({ $0.decoder.tiesLanguageHead = true }, "a separate matrix", "none but the table of tokens"),
        ]
        for (change, found, expected) in cases {
            try withFolder(Self.configuration(.joint), changed: change) { folder in
                let text = message(.invalidCheckpoint) { _ = try ModelFolder(folder) }
                #expect(text.contains(found) && text.contains("the configuration " + expected), "\(text)")
            }
        }
        var plain = Self.configuration(.joint)
        plain.vision.width = 16
        try withFolder(plain, changed: { $0.vision.queryPooling = nil }) { folder in
            let text = message(.invalidCheckpoint) { _ = try CoCa.load(folder) }
            #expect(text.contains("the weights have a pooler of 5 queries, the configuration no pooler"), "\(text)")
        }
    }

    @Test func aManifestWithAnotherMaskOrPoolerIsNamed() throws {
        try withFolder(Self.configuration(.joint), manifest: Self.configuration(.joint, mask: .legacy)) { folder in
            let text = message(.invalidConfiguration) { _ = try ModelFolder(folder) }
            #expect(text.contains("`text.class_token_mask` legacy, the model's configuration correct"), "\(text)")
        }
        try withFolder(Self.configuration(.parallel), manifest: Self.configuration(.cascade)) { folder in
            let text = message(.invalidConfiguration) { _ = try ModelFolder(folder) }
            #expect(text.contains("`vision.query_pooling` cascade, the model's configuration parallel"), "\(text)")
        }
    }

    /// open_clip's configurations up to 3.3 cannot say which mask a model has, so the manifest may.
    @Test func theManifestChoosesTheMaskWhereTheConfigurationIsSilent() throws {
        let golden = try CoCaGolden("coca")
        try withTemporaryFolder { folder in
            let copy = folder + "/model"
            try FileManager.default.copyItem(atPath: golden.folder.path, toPath: copy)
            var configuration = golden.configuration
            #expect(configuration.text.classTokenMask == .legacy)
            configuration.text.classTokenMask = .correct
            try ModelManifest(
                .coca(configuration), tokenizer: .openai, crop: .torchvision, weightsLayout: .openCLIP
            ).write(folder: copy)
            let model = try CoCa.load(copy, dtype: .float64)
            #expect(model.configuration.text.classTokenMask == .correct)
            try withoutGradient {
                try golden.expect("correct.text.float64", model.embedTexts(golden.ids), absolute: 1e-12)
            }
            // Where both say something, it is the same.
            let document = try configuration.openCLIPJSON(preprocessing: [:])
            try Files.replace(copy + "/open_clip_config.json", with: document.text())
            #expect(try ModelFolder(copy).architecture == .coca(configuration))
            configuration.text.classTokenMask = .legacy
            try ModelManifest(
                .coca(configuration), tokenizer: .openai, crop: .torchvision, weightsLayout: .openCLIP
            ).write(folder: copy)
            let text = message(.invalidConfiguration) { _ = try ModelFolder(copy) }
            #expect(text.contains("`text.class_token_mask` legacy, the model's configuration correct"), "\(text)")
        }
    }

    @Test func otherModelsAreNoCoCa() throws {
        let text = message(.invalidConfiguration) { _ = try CoCa.load(GoldenFolder.path("open-clip")) }
        #expect(text.contains("is no CoCa"))
        let other = message(.invalidConfiguration) { _ = try DualEncoder.load(GoldenFolder.path("coca")) }
        #expect(other.contains("holds a CoCa"))
    }
}
