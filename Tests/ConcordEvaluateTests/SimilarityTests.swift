import ConcordCore
import ConcordEvaluate
import ConcordMedia
import ConcordTensor
import ConcordTestSupport
import Foundation
import Testing

/// `concord similarity`, and models of every family as their users call them.
@Suite struct SimilarityTests {
    @Test(arguments: ModelFolders.dualEncoders)
    func textsAndPicturesHaveTheVectorsOfThePeer(_ name: String) throws {
        try withTemporaryFolder { folder in
            let example = try ModelFolders.copy(name, to: folder + "/model")
            let model = try EmbeddingModel.load(example.folder)
            func expected(_ key: String) throws -> [Double] { try #require(example.outputs["\(key).float64"]).values }
            let texts = try model.embed(texts: example.texts).vectors
            expectClose(texts.scalars(as: Double.self), try expected("text"), absolute: 2e-6, "texts")
            let images = try model.embed(pixels: ModelFolders.pixels, count: 3)
            expectClose(images.scalars(as: Double.self), try expected("image"), absolute: 2e-6, "pictures")

            let similarity = try Similarity(model: model, images: images, texts: texts)
            let logits = try expected("logits")
            expectClose(similarity.rows.flatMap(\.logits), logits, absolute: 2e-5, "logits")
            let hasBias = ["siglip", "open-clip-eos"].contains(name)
            #expect(similarity.probability == (hasBias ? .sigmoid : .softmax))
            for (row, values) in similarity.rows.enumerated() {
                let own = logits[row * 3..<row * 3 + 3]
                let total = own.map { exp($0) }.reduce(0, +)
                let probabilities = own.map { hasBias ? 1 / (1 + exp(-$0)) : exp($0) / total }
                expectClose(values.probabilities, probabilities, absolute: 1e-5, "probabilities")
                #expect(values.ranking == own.indices.sorted { own[$0] > own[$1] }.map { $0 - row * 3 })
            }
        }
    }

    @Test(arguments: ModelFolders.sentenceEncoders)
    func sentenceEncodersEmbedTextsAndRefusePictures(_ name: String) throws {
        try withTemporaryFolder { folder in
            let example = try ModelFolders.copy(name, to: folder + "/model")
            let model = try EmbeddingModel.load(example.folder)
            let expected = try #require(example.outputs["text.float64"]).values
            expectClose(
                try model.embed(texts: example.texts).vectors.scalars(as: Double.self), expected, absolute: 2e-6)
            for arguments in [
                ["similarity", "--image", ZeroShotTests.folder + "/wide.png", "--text", "5"],
                ["embed", "--image", ZeroShotTests.folder + "/wide.png", "--output", folder + "/x.npy"],
                ["preprocess", "--image", ZeroShotTests.folder + "/wide.png", "--output", folder + "/x.npy"],
            ] {
                let result = try Program.run(arguments + ["--model", example.folder], in: folder)
                #expect(result.status == 1 && result.errors.contains("embeds texts only"), "\(result.errors)")
            }
            let embedded = try Program.run(
                ["embed", "--model", example.folder, "--output", folder + "/v.npy", "--text"] + example.texts,
                in: folder)
            #expect(embedded.status == 0, "\(embedded.errors)")
            let array = try NumPyFile(path: folder + "/v.npy")
            #expect(array.shape == [3, 16])
            expectClose(
                array.bytes.withUnsafeBytes { Golden.values($0, array.dtype) }, expected, absolute: 2e-6, "command")
        }
    }

    @Test func jsonHasTheDocumentedShape() throws {
        try withTemporaryFolder { folder in
            let model = ZeroShotTests.folder + "/model",
                images = ["wide", "tall"].map { ZeroShotTests.folder + "/\($0).png" }
            let texts = ["a photo of a cat.", "dog", "moon"]
            func json(_ images: [String]) throws -> JSONValue {
                let result = try Program.run(
                    ["similarity", "--model", model, "--json", "--image"] + images + ["--text"] + texts, in: folder)
                #expect(result.status == 0, "\(result.errors)")
                return try JSONValue(parsing: result.output)
            }
            let one = try json([images[0]]), two = try json(images)
            #expect(one.members?.map(\.name) == ["cosine", "logits", "probabilities", "probability"])
            #expect(one["probability"]?.string == "softmax")
            let results = try #require(two["results"]?.elements)
            #expect(results.compactMap { $0["image"]?.string } == images)
            for key in ["cosine", "logits", "probabilities"] {
                let values = try #require(one[key]?.elements).compactMap(\.double)
                #expect(values.count == 3)
                expectClose(values, try #require(results[0][key]?.elements).compactMap(\.double), absolute: 1e-6, key)
            }
            // Without --json the best text stands first.
            let logits = try #require(one["logits"]?.elements).compactMap(\.double)
            let best = try #require(logits.indices.max { logits[$0] < logits[$1] })
            let table = try Program.run(
                ["similarity", "--model", model, "--image", images[0], "--text"] + texts, in: folder
            ).output.split(separator: "\n")
            #expect(table.count == 3 && table[0].hasSuffix(texts[best]), "\(table)")
        }
    }

    @Test func preprocessedPixelsAreThoseThatTheModelGets() throws {
        try withTemporaryFolder { folder in
            let model = ZeroShotTests.folder + "/model",
                images = ["wide", "tall"].map { ZeroShotTests.folder + "/\($0).png" }
            let result = try Program.run(
                ["preprocess", "--model", model, "--output", folder + "/pixels.npy", "--image"] + images, in: folder)
            #expect(result.status == 0, "\(result.errors)")
            let array = try NumPyFile(path: folder + "/pixels.npy")
            #expect(array.shape == [2, 3, 16, 16] && array.dtype == .float32)
            let pixels = array.bytes.withUnsafeBytes { Golden.values($0, .float32) }.map { Float($0) }
            let expected = try #require(try Golden.tensors("zeroshot", "outputs.safetensors")["images"])
            let vectors = try EmbeddingModel.load(model).embed(pixels: pixels, count: 2)
            expectClose(vectors.scalars(as: Double.self), expected.values, absolute: 2e-6)

            let picture = try Program.run(
                ["preprocess", "--model", model, "--output", folder + "/cropped.png", "--image", images[0]], in: folder)
            #expect(picture.status == 0, "\(picture.errors)")
            let cropped = try Image(contentsOf: folder + "/cropped.png")
            #expect(cropped == ImagePreprocessing.clip(size: 16).pixels(try Image(contentsOf: images[0])))
            for wrong in [["x.jpg"] + [images[0]], ["x.png"] + images] {
                let refused = try Program.run(
                    ["preprocess", "--model", model, "--output", folder + "/" + wrong[0], "--image"]
                        + wrong.dropFirst(),
                    in: folder)
                #expect(refused.status == 64)
            }
        }
    }

    @Test func aModelWithNotANumberIsUsedWithAWarning() throws {
        try withTemporaryFolder { folder in
            let model = folder + "/model"
            try FileManager.default.copyItem(atPath: ZeroShotTests.folder + "/model", toPath: model)
            var bytes = try Files.read(model + "/open_clip_model.safetensors")
            // The last four bytes are one float32 of the last tensor.
            bytes.replaceSubrange(bytes.count - 4..<bytes.count, with: [0, 0, 0xC0, 0x7F])
            try Files.replace(model + "/open_clip_model.safetensors", with: bytes)
            let result = try Program.run(
                ["embed", "--model", model, "--text", "cat", "--output", folder + "/v.npy"], in: folder)
            #expect(result.status == 0)
            #expect(result.errors.contains("warning:") && result.errors.contains("not finite"), "\(result.errors)")
        }
    }

    @Test func aRepositoryOfTheCacheIsAModel() throws {
        try withTemporaryFolder { folder in
            let repository = folder + "/hub/models--owner--tiny"
            let snapshot = repository + "/snapshots/0123456789abcdef0123456789abcdef01234567"
            try Files.makeFolder(repository + "/refs")
            try Files.makeFolder(repository + "/snapshots")
            try FileManager.default.copyItem(atPath: ZeroShotTests.folder + "/model", toPath: snapshot)
            try Files.replace(repository + "/refs/main", with: "0123456789abcdef0123456789abcdef01234567")
            func tokenize(_ name: String) throws -> Program.Result {
                try Program.run(
                    [
                        "HF_HUB_CACHE=\(folder)/hub", Program.path, "tokenize", "--model", name, "--text", "cat",
                        "--json",
                    ],
                    executable: "/usr/bin/env", in: folder)
            }
            let cached = try tokenize("owner/tiny"), own = try tokenize(snapshot)
            #expect(cached.status == 0 && cached.output == own.output, "\(cached.errors)")
            let missing = try tokenize("owner/other")
            #expect(missing.status == 1 && missing.errors.contains("concord pull owner/other"), "\(missing.errors)")
        }
    }
}
