import ConcordCore
import ConcordEvaluate
import ConcordMedia
import ConcordTensor
import ConcordTestSupport
import Foundation
import Testing

/// Zero-shot classification against open_clip's; `scripts/golden/make_zeroshot.py` made the files.
@Suite struct ZeroShotTests {
    static let folder = Golden.folder("zeroshot")
    private let golden: [String: Golden.Tensor]
    private let templates: [String]

    init() throws {
        golden = try Golden.tensors("zeroshot", "outputs.safetensors")
        templates = String(decoding: try Files.read(Self.folder + "/templates.txt"), as: UTF8.self)
            .split(separator: "\n").map(String.init)
    }

    @Test(arguments: [1024, 7, 1])
    func labelsHaveTheVectorsOfOpenCLIP(_ batchSize: Int) throws {
        let model = try EmbeddingModel.load(Self.folder + "/model")
        let labels = try ZeroShotClassifier.readLabels(Self.folder + "/labels.txt")
        #expect(templates.count == 3 && labels.count == 23)
        let classifier = try ZeroShotClassifier(
            model: model, labels: labels, templates: templates, batchSize: batchSize)
        let expected = try #require(golden["classifier"])
        #expect(classifier.weights.shape == expected.shape)
        expectClose(classifier.weights.scalars(as: Double.self), expected.values, absolute: 2e-6)
        #expect(classifier.truncatedCount > 0)

        let images = try model.embed(
            images: ["wide", "tall"].map { try Image(contentsOf: Self.folder + "/\($0).png") })
        expectClose(images.scalars(as: Double.self), try #require(golden["images"]).values, absolute: 2e-6)
        let similarity = try Similarity(model: model, images: images, texts: classifier.weights)
        let logits = try #require(golden["logits"]).values
        expectClose(similarity.rows.flatMap(\.logits), logits, absolute: 2e-5)
        #expect(similarity.probability == .softmax)
        for row in similarity.rows { expectClose([row.probabilities.reduce(0, +)], [1], absolute: 1e-12) }
    }

    @Test func theCommandRanksLabelsAsOpenCLIPDoes() throws {
        try withTemporaryFolder { folder in
            let arguments =
                ["classify", "--model", Self.folder + "/model", "--labels", Self.folder + "/labels.txt", "--top", "4"]
                + ["--image", Self.folder + "/wide.png", Self.folder + "/tall.png"]
                + templates.flatMap { ["--template", $0] }
            let result = try Program.run(arguments + ["--json"], in: folder)
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.errors.contains("were truncated to"))
            let json = try JSONValue(parsing: result.output)
            #expect(json["probability"]?.string == "softmax")
            let labels = try ZeroShotClassifier.readLabels(Self.folder + "/labels.txt")
            let logits = try #require(golden["logits"]).values
            let results = try #require(json["results"]?.elements)
            #expect(results.count == 2)
            for (row, result) in results.enumerated() {
                let own = Array(logits[row * labels.count..<(row + 1) * labels.count])
                let best = own.indices.sorted { own[$0] > own[$1] }.prefix(4)
                let found = try #require(result["labels"]?.elements)
                #expect(found.compactMap { $0["label"]?.string } == best.map { labels[$0] })
                expectClose(found.compactMap { $0["logit"]?.double }, best.map { own[$0] }, absolute: 2e-5)
                let total = own.map { exp($0) }.reduce(0, +)
                expectClose(
                    found.compactMap { $0["probability"]?.double }, best.map { exp(own[$0]) / total }, absolute: 1e-5)
            }
            let text = try Program.run(arguments, in: folder)
            #expect(text.output.split(separator: "\n").count == 2 * 5)
        }
    }

    @Test func labelsAreReadAsAPersonMeansThem() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/labels.txt"
            try Files.replace(path, with: "\u{FEFF}cat\r\n\n  tabby cat \t\n\u{E9}\ne\u{301}\n")
            let labels = try ZeroShotClassifier.readLabels(path)
            // Spelled with other code points, they are other labels.
            #expect(labels.map { Array($0.utf8) } == ["cat", "tabby cat", "\u{E9}", "e\u{301}"].map { Array($0.utf8) })

            func failure(_ bytes: [UInt8]) throws -> ConcordError? {
                try Files.replace(path, with: bytes)
                return #expect(throws: ConcordError.self) { try ZeroShotClassifier.readLabels(path) }
            }
            let twice = try failure(Array("cat\ndog\n\n cat\n".utf8))
            #expect(twice?.code == .malformedText && twice?.message.contains("lines 1 and 4") == true)
            let latin = try failure(Array("cat\n".utf8) + [0xE9, 0x0A])
            #expect(latin?.code == .malformedText && latin?.message.contains("line 2") == true)
            let empty = try failure(Array("\n \n".utf8))
            #expect(empty?.code == .malformedText && empty?.message.contains("no labels") == true)
        }
    }

    @Test func templatesMustHaveAPlaceForTheLabel() throws {
        let model = try EmbeddingModel.load(Self.folder + "/model")
        let error = #expect(throws: ConcordError.self) {
            _ = try ZeroShotClassifier(model: model, labels: ["cat"], templates: ["a photo"])
        }
        #expect(error?.code == .invalidConfiguration)
        try withTemporaryFolder { folder in
            let result = try Program.run(
                [
                    "classify", "--model", Self.folder + "/model", "--labels", Self.folder + "/labels.txt", "--image",
                    Self.folder + "/wide.png", "--template", "a photo",
                ], in: folder)
            #expect(result.status == 64 && result.errors.contains("has no place for the label"), "\(result.errors)")
        }
    }
}
