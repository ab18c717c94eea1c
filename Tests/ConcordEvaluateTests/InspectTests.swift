import ConcordCheckpoint
import ConcordCore
import ConcordEvaluate
import ConcordTestSupport
import Foundation
import Testing

/// `concord inspect`, and what is verified when.
@Suite struct InspectTests {
    private func inspect(_ model: String, _ more: String..., in folder: String) throws -> Program.Result {
        try Program.run(["inspect", "--model", model, "--json"] + more, in: folder)
    }

    @Test func aModelIsDescribedByItsHeaders() throws {
        try withTemporaryFolder { folder in
            let model = ZeroShotTests.folder + "/model"
            let result = try inspect(model, "--tensors", in: folder)
            #expect(result.status == 0, "\(result.errors)")
            let json = try JSONValue(parsing: result.output)
            #expect(json["architecture"]?.string == "clip" && json["layout"]?.string == "open_clip")
            let file = try SafetensorsFile(path: model + "/open_clip_model.safetensors")
            let total = file.entries.reduce(0) { $0 + $1.shape.reduce(1, *) }
            let vision = file.entries.filter { $0.name.hasPrefix("visual.") }.reduce(0) { $0 + $1.shape.reduce(1, *) }
            let parameters = try #require(json["parameters"])
            #expect(parameters["total"]?.int == total && parameters["vision"]?.int == vision)
            #expect(parameters["text"]?.int == total - vision - 1 && parameters["logits"]?.int == 1)
            #expect(json["dtypes"] == ["float32": .integer(total)])
            #expect(json["tensors"]?.elements?.count == file.entries.count)
            #expect(json["text"]?["context_length"]?.int == 32 && json["text"]?["vocabulary_size"]?.int == 528)
            #expect(json["text"]?["pooling"]?.string == "argmax" && json["text"]?["activation"]?.string == "gelu")
            #expect(json["vision"]?["image_size"]?.int == 16 && json["vision"]?["patch_size"]?.int == 8)
            #expect(json["tokenizer"]?["kind"]?.string == "CLIP byte pairs, as OpenAI")
            #expect(json["preprocessing"]?["crop_rule"]?.string == "torchvision")
            let scale = try #require(json["logits"]?["scale"]?.double)
            expectClose([scale], [1 / 0.07], absolute: 1e-4)
            #expect(json["notes"] == [] && json["verified"] == false)
            let weights = json["files"]?.elements?.first
            #expect(weights?["name"]?.string == "open_clip_model.safetensors")
            #expect(weights?["bytes"]?.int == (try Files.read(model + "/open_clip_model.safetensors").count))

            let text = try Program.run(["inspect", "--model", model], in: folder)
            #expect(text.status == 0 && text.output.contains("context length") && text.output.contains("argmax"))
        }
    }

    /// A CoCa is described with its poolers, its mask and its decoder.
    @Test func aCoCaIsDescribed() throws {
        var inspection = try ModelInspection(folder: Golden.folder("models") + "/folders/coca")
        let json = inspection.json()
        #expect(json["architecture"]?.string == "coca" && json["layout"]?.string == "open_clip")
        let reader = try CheckpointReader(path: inspection.folder.path)
        func count(_ prefix: String) -> Int {
            reader.tensors.filter { $0.name.hasPrefix(prefix) }.reduce(0) { $0 + $1.entry.shape.reduce(1, *) }
        }
        for (part, prefix) in [
            ("total", ""), ("vision", "visual."), ("text", "text."), ("decoder", "text_decoder."), ("logits", "logit_"),
        ] {
            #expect(json["parameters"]?[part]?.int == count(prefix), "\(part)")
        }
        #expect(json["text"]?["class_token_mask"]?.string == "legacy")
        #expect(json["vision"]?["query_pooling"]?.string == "joint" && json["vision"]?["queries"]?.int == 3)
        #expect(json["decoder"]?["layers"]?.int == 1 && json["decoder"]?["tied_language_head"]?.bool == false)
        // The golden folder has no tokenizer.
        #expect(inspection.notes.count == 1)
        try inspection.verify()
        #expect(inspection.isVerified)
    }

    @Test(arguments: ModelFolders.dualEncoders + ModelFolders.sentenceEncoders)
    func everyFamilyIsDescribed(_ name: String) throws {
        try withTemporaryFolder { folder in
            let model = try ModelFolders.copy(name, to: folder + "/model").folder
            let inspection = try ModelInspection(folder: model)
            #expect(inspection.notes.isEmpty)
            let json = inspection.json()
            let kinds = [
                "siglip": "siglip", "vision-text-dual-encoder": "dual-encoder", "open-clip-bert": "dual-encoder",
            ]
            let isSentenceEncoder = ModelFolders.sentenceEncoders.contains(name)
            #expect(json["architecture"]?.string == kinds[name] ?? (isSentenceEncoder ? "sentence-encoder" : "clip"))
            let reader = try CheckpointReader(path: model)
            let total = reader.tensors.reduce(0) { $0 + $1.entry.shape.reduce(1, *) }
            #expect(json["parameters"]?["total"]?.int == total)
            #expect((json["parameters"]?["vision"] == nil) == isSentenceEncoder)
        }
    }

    @Test func weightsThatDoNotFitAreAnErrorThatNamesThem() throws {
        try withTemporaryFolder { folder in
            let model = try ModelFolders.copy("huggingface-clip", to: folder + "/model").folder
            let config = String(decoding: try Files.read(model + "/config.json"), as: UTF8.self)
            try Files.replace(
                model + "/config.json",
                with: config.replacingOccurrences(of: "\"intermediate_size\": 32", with: "\"intermediate_size\": 33"))
            let result = try inspect(model, in: folder)
            #expect(result.status == 1)
            // Both towers have two blocks, and each the weight and bias of one layer and the weight of the other.
            #expect(result.errors.contains("12 mismatched"), "\(result.errors)")
            #expect(result.errors.contains("text_model.encoder.layers.1.mlp.fc2.weight"))
        }
    }

    @Test func whatIsMissingIsAWarning() throws {
        try withTemporaryFolder { folder in
            let model = try ModelFolders.copy("huggingface-clip", to: folder + "/model").folder
            try FileManager.default.removeItem(atPath: model + "/tokenizer.json")
            try FileManager.default.removeItem(atPath: model + "/preprocessor_config.json")
            let result = try inspect(model, in: folder)
            #expect(result.status == 0)
            #expect(result.errors.contains("has no tokenizer"), "\(result.errors)")
            #expect(result.errors.contains("has no preprocessor_config.json"), "\(result.errors)")
            #expect(try JSONValue(parsing: result.output)["notes"]?.elements?.count == 2)
        }
    }

    @Test func verifyReadsEveryWeightAndHash() throws {
        try withTemporaryFolder { folder in
            let model = folder + "/model"
            try EmbeddingModel.load(ZeroShotTests.folder + "/model").save(to: model, training: nil)
            let whole = try inspect(model, "--verify", in: folder)
            #expect(whole.status == 0, "\(whole.errors)")
            #expect(try JSONValue(parsing: whole.output)["verified"] == true)
            var bytes = try Files.read(model + "/model.safetensors")
            bytes[bytes.count - 4] ^= 1
            try Files.replace(model + "/model.safetensors", with: bytes)
            // The headers are right, so only who reads the weights sees it.
            #expect(try inspect(model, in: folder).status == 0)
            let damaged = try inspect(model, "--verify", in: folder)
            #expect(damaged.status == 1 && damaged.errors.contains("SHA-256"), "\(damaged.errors)")
        }
    }

    @Test func longFilesAreHashedOnlyWhenAsked() throws {
        try withTemporaryFolder { folder in
            let model = folder + "/model"
            try EmbeddingModel.load(ZeroShotTests.folder + "/model").save(to: model, training: nil)
            let manifest = try ModelManifest(folder: model)
            var bytes = try Files.read(model + "/model.safetensors")
            bytes[bytes.count - 4] ^= 1
            try Files.replace(model + "/model.safetensors", with: bytes)
            try manifest.verifyHashes(folder: model, limit: bytes.count - 1)
            #expect(throws: ConcordError.self) { try manifest.verifyHashes(folder: model, limit: bytes.count) }
            #expect(throws: ConcordError.self) { try manifest.verifyHashes(folder: model) }
            // A small file is checked on every load.
            #expect(throws: ConcordError.self) { try EmbeddingModel.load(model) }
        }
    }
}
