import ConcordCheckpoint
import ConcordCore
import ConcordEvaluate
import ConcordTensor
import ConcordTestSupport
import Foundation
import Testing

/// Models that embed texts alone or pictures alone: one tower, or a folder that lacks what the other side needs.
@Suite struct SingleSideTests {
    private static let picture = ZeroShotTests.folder + "/wide.png"

    /// A command and the message that it ends with.
    private func expectRefusal(_ arguments: [String], _ message: String, in folder: String) throws {
        let result = try Program.run(arguments, in: folder)
        #expect(result.status == 1 && result.errors.contains(message), "\(arguments): \(result.errors)")
        #expect(!result.errors.contains("\n\n") && result.output.isEmpty)
    }

    @Test(arguments: ModelFolders.textTowers) func textTowersEmbedTextsAlone(_ name: String) throws {
        try withTemporaryFolder { folder in
            let example = try ModelFolders.copy(name, to: folder + "/model"), model = ["--model", example.folder]
            let expected = try #require(example.outputs["text.float64"])
            let embedded = try Program.run(
                ["embed", "--output", folder + "/v.npy"] + model + ["--text"] + example.texts, in: folder)
            #expect(embedded.status == 0 && embedded.errors.isEmpty, "\(embedded.errors)")
            let array = try NumPyFile(path: folder + "/v.npy")
            #expect(array.shape == expected.shape)
            expectClose(
                array.bytes.withUnsafeBytes { Golden.values($0, array.dtype) }, expected.values, absolute: 2e-6)
            let inspected = try Program.run(["inspect", "--json", "--verify"] + model, in: folder)
            #expect(inspected.status == 0, "\(inspected.errors)")
            let json = try JSONValue(parsing: inspected.output)
            #expect(json["architecture"] == "text-tower" && json["vision"] == nil && json["logits"] == nil)
            #expect(json["projection_width"]?.int == expected.shape.last)
            #expect(json["parameters"]?["total"] == json["parameters"]?["text"])
            let tokenized = try Program.run(["tokenize", "--text", "5 17", "--json"] + model, in: folder)
            #expect(tokenized.status == 0, "\(tokenized.errors)")
            _ = try TinyData.write(to: folder + "/data")
            for arguments in [
                ["embed", "--image", Self.picture, "--output", folder + "/x.npy"],
                ["similarity", "--image", Self.picture, "--text", "5"],
                ["preprocess", "--image", Self.picture, "--output", folder + "/x.npy"],
                ["search", "--data", folder + "/data", "--text", "5"],
                ["evaluate", "--data", folder + "/data"],
            ] {
                try expectRefusal(arguments + model, "embeds texts only", in: folder)
            }
        }
    }

    @Test(arguments: ModelFolders.imageTowers) func imageTowersEmbedPicturesAlone(_ name: String) throws {
        try withTemporaryFolder { folder in
            let example = try ModelFolders.copy(name, to: folder + "/model"), model = ["--model", example.folder]
            try FileManager.default.removeItem(atPath: example.folder + "/tokenizer.json")
            let expected = try #require(example.outputs["image.float64"])
            let loaded = try EmbeddingModel.load(example.folder)
            #expect(loaded.texts == nil && loaded.images != nil)
            expectClose(
                try loaded.embed(pixels: ModelFolders.pixels, count: 3).scalars(as: Double.self), expected.values,
                absolute: 2e-6)
            let embedded = try Program.run(
                ["embed", "--output", folder + "/v.npy", "--image", Self.picture] + model, in: folder)
            #expect(embedded.status == 0 && embedded.errors.isEmpty, "\(embedded.errors)")
            #expect(try NumPyFile(path: folder + "/v.npy").shape == [1, expected.shape[1]])
            let inspected = try Program.run(["inspect", "--json", "--verify"] + model, in: folder)
            #expect(inspected.status == 0, "\(inspected.errors)")
            let json = try JSONValue(parsing: inspected.output)
            #expect(json["architecture"] == "image-tower" && json["text"] == nil && json["tokenizer"] == nil)
            #expect(json["projection_width"]?.int == expected.shape.last)
            #expect(json["parameters"]?["total"] == json["parameters"]?["vision"])
            _ = try TinyData.write(to: folder + "/data")
            let found = try Program.run(
                ["search", "--data", folder + "/data", "--image", folder + "/data/images/red-white.png", "--top", "1"]
                    + model, in: folder)
            #expect(found.status == 0 && found.output.hasPrefix("1.0000  images/red-white.png"), "\(found.errors)")
            for arguments in [
                ["embed", "--text", "5", "--output", folder + "/x.npy"],
                ["similarity", "--image", Self.picture, "--text", "5"],
                ["search", "--data", folder + "/data", "--text", "5"], ["evaluate", "--data", folder + "/data"],
                ["export", "--output", folder + "/artifact"],
            ] {
                try expectRefusal(arguments + model, "embeds images only", in: folder)
            }
            try expectRefusal(["tokenize", "--text", "5"] + model, "embeds images only", in: folder)
        }
    }

    /// A conversion writes the tower as transformers does.
    @Test(arguments: ModelFolders.textTowers + ModelFolders.imageTowers)
    func towersAreSavedAndReadAgain(_ name: String) throws {
        try withTemporaryFolder { folder in
            let example = try ModelFolders.copy(name, to: folder + "/model")
            let result = try Program.run(
                ["convert", "--model", example.folder, "--to", "huggingface", "--output", folder + "/again"],
                in: folder)
            #expect(result.status == 0, "\(result.errors)")
            let models = try [example.folder, folder + "/again"].map { try EmbeddingModel.load($0) }
            let vectors = try models.map { model in
                try model.texts != nil
                    ? model.embed(texts: example.texts).vectors : model.embed(pixels: ModelFolders.pixels, count: 3)
            }
            #expect(vectors[0].scalars(as: Float.self) == vectors[1].scalars(as: Float.self))
            #expect(try ModelFolder(folder + "/again").architecture == ModelFolder(example.folder).architecture)
            try expectRefusal(
                ["convert", "--model", example.folder, "--to", "open_clip", "--output", folder + "/open"],
                "open_clip has no format for a", in: folder)
        }
    }

    // MARK: Folders that lack something

    @Test func picturesNeedNoTokenizer() throws {
        try withTemporaryFolder { folder in
            let example = try ModelFolders.copy("huggingface-clip", to: folder + "/model")
            let model = ["--model", example.folder]
            for content in [nil, "not JSON"] {
                if content == nil { try FileManager.default.removeItem(atPath: example.folder + "/tokenizer.json") }
                if let content { try Files.replace(example.folder + "/tokenizer.json", with: content) }
                let embedded = try Program.run(
                    ["embed", "--output", folder + "/v.npy", "--image", Self.picture] + model, in: folder)
                #expect(embedded.status == 0 && embedded.errors.isEmpty, "\(embedded.errors)")
                let message = content == nil ? "has no tokenizer" : "tokenizer.json is not valid JSON"
                for arguments in [
                    ["embed", "--text", "5", "--output", folder + "/x.npy"],
                    ["similarity", "--image", Self.picture, "--text", "5"],
                    ["convert", "--to", "huggingface", "--output", folder + "/again"],
                    ["export", "--output", folder + "/artifact"],
                ] {
                    try expectRefusal(arguments + model, message, in: folder)
                }
                #expect(!Files.exists(folder + "/again") && !Files.exists(folder + "/artifact"))
                let loaded = try EmbeddingModel.load(example.folder)
                expectClose(
                    try loaded.embed(pixels: ModelFolders.pixels, count: 3).scalars(as: Double.self),
                    try #require(example.outputs["image.float64"]).values, absolute: 2e-6)
            }
        }
    }

    @Test func textsNeedNoPreprocessing() throws {
        try withTemporaryFolder { folder in
            let example = try ModelFolders.copy("huggingface-clip", to: folder + "/model")
            let model = ["--model", example.folder]
            try FileManager.default.removeItem(atPath: example.folder + "/preprocessor_config.json")
            let loaded = try EmbeddingModel.load(example.folder)
            expectClose(
                try loaded.embed(texts: example.texts).vectors.scalars(as: Double.self),
                try #require(example.outputs["text.float64"]).values, absolute: 2e-6)
            for arguments in [
                ["embed", "--image", Self.picture, "--output", folder + "/x.npy"],
                ["similarity", "--image", Self.picture, "--text", "5"],
                ["convert", "--to", "huggingface", "--output", folder + "/again"],
                ["export", "--output", folder + "/artifact"],
            ] {
                try expectRefusal(arguments + model, "has no preprocessor_config.json", in: folder)
            }
        }
    }

    @Test func typedSpecialTokensAreANotice() throws {
        try withTemporaryFolder { folder in
            let model = ZeroShotTests.folder + "/model", text = "a cat <end_of_text> a dog"
            for arguments in [
                ["embed", "--text", text, "a dog", "--output", folder + "/v.npy"],
                ["similarity", "--image", Self.picture, "--text", text, "a dog"],
                ["tokenize", "--text", text, "a dog"],
            ] {
                let result = try Program.run(arguments + ["--model", model], in: folder)
                #expect(result.status == 0, "\(result.errors)")
                #expect(
                    result.errors.contains("warning: 1 of 2 texts contain a special token, the first `<"),
                    "\(result.errors)")
            }
            let plain = try Program.run(["tokenize", "--model", model, "--text", "a < b"], in: folder)
            #expect(plain.errors.isEmpty, "\(plain.errors)")
        }
    }
}
