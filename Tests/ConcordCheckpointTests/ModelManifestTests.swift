import ConcordCheckpoint
import ConcordCore
import ConcordMedia
import ConcordTestSupport
import ConcordText
import Testing

@Suite struct ModelManifestTests {
    private let manifest = ModelManifest(
        .dualEncoder(.init()), tokenizer: .openai, crop: .torchvision,
        hashes: ["model.safetensors": FileHash(.sha256, of: Array("weights".utf8)).hexadecimal],
        training: .init(recipe: "emoji-clip", dataset: "emoji", steps: 260, tool: "concord 0.1.0", date: "2026-01-31"))

    @Test func readsBackWhatItWrote() throws {
        try withTemporaryFolder { folder in
            try manifest.write(folder: folder)
            #expect(try ModelManifest(folder: folder) == manifest)
            var untrained = manifest
            untrained.training = nil
            try untrained.write(folder: folder)
            #expect(try ModelManifest(folder: folder) == untrained)
            var tuned = manifest
            tuned.training?.baseModel = "openai/clip-vit-base-patch32"
            tuned.weightsLayout = .openCLIP
            try tuned.write(folder: folder)
            #expect(try ModelManifest(folder: folder) == tuned)
        }
    }

    @Test func noticesChangedWeights() throws {
        try withTemporaryFolder { folder in
            try Files.replace(folder + "/model.safetensors", with: "weights")
            try manifest.verifyHashes(folder: folder)
            try Files.replace(folder + "/model.safetensors", with: "Weights")
            let error = #expect(throws: ConcordError.self) { try manifest.verifyHashes(folder: folder) }
            #expect(error?.code == .invalidCheckpoint)
        }
    }

    @Test(arguments: [
        (#""format_version": 2"#, #""format_version": 3"#, "later than the 2"),
        (#""format_version": 2"#, #""format_version": 0"#, "a whole number from 1"),
        (#""format_version": 2"#, #""version": 2"#, "`format_version` in concord.json is missing"),
        (#""architecture": "clip""#, #""architecture": "flamingo""#, "known are: clip, siglip, coca, dual-encoder"),
        (#""activation""#, #""activatoin""#, "did you mean `activation`?"),
        (#""openai""#, #""openclip""#, "known are: openai, huggingface"),
        (#""firstEndToken""#, #""middle""#, "known are: first, last, argmax, firstEndToken"),
        (#""classToken""#, #""middle""#, "known are: classToken, average, none, attention"),
        (#""weights_layout": "huggingface""#, #""weights_layout": "keras""#, "known are: huggingface, open_clip"),
        (#""preprocessing": ""#, #""preprocessing": "../"#, "not the plain name"),
        (#""steps": 260"#, #""steps": -1"#, "a whole number from 0"),
        (#""model.safetensors""#, #""../model.safetensors""#, "not the plain name"),
        (#""sha256": {"#, #""sha256": {"x": "beef", "#, "not a SHA-256"),
        (#""training": {"#, #""training": {"mood": "good", "#, "`training.mood`"),
    ])
    func refuses(_ original: String, _ replacement: String, _ message: String) throws {
        let text = manifest.json().text(pretty: true)
        let changed = text.replacing(original, with: replacement, maxReplacements: 1)
        #expect(changed != text)
        let error = #expect(throws: ConcordError.self) {
            try ModelManifest(JSONValue(parsing: changed), path: "concord.json")
        }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    /// What version 0.1 of Concord wrote.
    @Test func readsTheFirstVersion() throws {
        let text = """
            {"format_version": 1, "architecture": "clip", "quirks": {"activation": "gelu", "pooling": "firstEndToken",
             "tokenizer": "openai", "crop": "torchvision"}, "context_length": 32,
             "preprocessing": "preprocessor_config.json", "sha256": {}}
            """
        let manifest = try ModelManifest(JSONValue(parsing: text), path: "concord.json")
        #expect(manifest.quirks.textPooling == .transformer(.firstEndToken))
        #expect(manifest.quirks.textActivation == .gelu && manifest.quirks.visionActivation == nil)
        #expect(manifest.quirks.tokenizer == .openai && manifest.weightsLayout == .huggingFace)
        #expect(manifest.json()["format_version"]?.int == 2)
    }

    @Test func knowsTheKindsOfModels() {
        func manifest(_ configuration: DualEncoderConfiguration) -> ModelManifest {
            ModelManifest(.dualEncoder(configuration), tokenizer: nil, crop: .huggingFace)
        }
        var siglip = DualEncoderConfiguration()
        siglip.vision.pooling = .attention
        #expect(manifest(siglip).architecture == .siglip)
        #expect(manifest(.init(text: .bert(.init()))).architecture == .dualEncoder)
        #expect(manifest(.init(text: .bert(.init()))).quirks.textPooling == .bert(.mean))
        let sentences = ModelManifest(.sentenceEncoder(.init()), tokenizer: nil, crop: nil)
        #expect(sentences.architecture == .sentenceEncoder && sentences.preprocessing == nil)
        #expect(manifest(.init()).preprocessing == "preprocessor_config.json")
    }

    /// What the manifest of a CLIP B/32 says otherwise than its configuration.
    @Test(arguments: [
        (#""architecture": "clip""#, #""architecture": "siglip""#, "`architecture` siglip"),
        (#""context_length": 77"#, #""context_length": 76"#, "`context_length` 76"),
        (#""pooling": "firstEndToken""#, #""pooling": "argmax""#, "`text.pooling` argmax"),
        (#""activation": "quick_gelu""#, #""activation": "gelu""#, "`text.activation` gelu"),
        (#""pooling": "classToken""#, #""pooling": "average""#, "`vision.pooling` average"),
        (#""weights_layout": "huggingface""#, #""weights_layout": "open_clip""#, "`weights_layout` open_clip"),
    ])
    func refusesAContradiction(_ original: String, _ replacement: String, _ message: String) throws {
        try withTemporaryFolder { folder in
            let configuration = DualEncoderConfiguration()
            let json = try configuration.huggingFaceJSON()
            try Files.replace(folder + "/config.json", with: json.text(pretty: true))
            let text = manifest.json().text(pretty: true)
            try Files.replace(folder + "/concord.json", with: text)
            #expect(try ModelFolder(folder).manifest == manifest)
            #expect(try ModelFolder(folder).tokenizer.clipMode == .openai)
            let changed = text.replacing(original, with: replacement, maxReplacements: 1)
            #expect(changed != text)
            try Files.replace(folder + "/concord.json", with: changed)
            let error = #expect(throws: ConcordError.self) { try ModelFolder(folder) }
            #expect(error?.code == .invalidConfiguration)
            #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
        }
    }
}
