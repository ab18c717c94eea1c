import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordEvaluate
import ConcordMedia
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordTestSupport
import ConcordText
import Testing

/// Fused models in folders, and the means of modalities that a manifest keeps.
@Suite struct FusedFolderTests {
    private static let captions = ["a red square", "a green square", "a blue square on white"]

    private func model(
        _ exchange: FusionConfiguration.Exchange = .bottleneck(tokens: 2), modalities: [Modality] = [.image, .text]
    ) throws -> EmbeddingModel {
        let tokenizer = try BytePairTrainer.train(captions: Self.captions, vocabularySize: 540)
        let inputs: [Modality: FusedModelConfiguration.Input] = [
            .image: .image(size: 16, patchSize: 8),
            .text: .text(vocabularySize: tokenizer.vocabularySize, contextLength: 16),
        ]
        let encoder = try FusedModel(
            FusedModelConfiguration(
                fusion: FusionConfiguration(modalities: modalities, at: 1, exchange: exchange, combine: .gated),
                inputs: inputs.filter { modalities.contains($0.key) }, width: 16, intermediateWidth: 32, layers: 2,
                heads: 2, projectionWidth: 12), store: ParameterStore(seed: 3))
        return EmbeddingModel(encoder: encoder, tokenizer: tokenizer, preprocessing: .clip(size: 16))
    }

    private func numbers(_ tensor: Tensor) -> [Float] { tensor.scalars(as: Float.self) }

    @Test func aFolderGivesTheSameModel() throws {
        try withTemporaryFolder { folder in
            var model = try model()
            model.calibration = ModalityCalibration(means: [.image: [0.5, -0.25], .text: [1e-7]], dataset: "squares")
            try model.save(to: folder, training: nil)
            let read = try EmbeddingModel.load(folder)
            #expect(read.calibration == model.calibration)
            #expect(
                (read.encoder as? FusedModel)?.configuration == (model.encoder as? FusedModel)?.configuration)
            let texts = try model.embed(texts: Self.captions).vectors
            #expect(try numbers(read.embed(texts: Self.captions).vectors) == numbers(texts))
            let image = Image(width: 16, height: 16, pixels: (0..<768).map { UInt8($0 % 251) })
            #expect(try numbers(read.embed(images: [image])) == numbers(model.embed(images: [image])))
            // A text is the same whatever stands beside it: its padding is hidden.
            #expect(read.texts?.encoder.textConfiguration.readsPadding == false)
            let alone = try model.embed(texts: [Self.captions[0]]).vectors
            expectClose(numbers(alone), Array(numbers(texts).prefix(12)), absolute: 1e-6)
        }
    }

    @Test func whatAFolderCannotHoldIsRefused() throws {
        let folder = try TemporaryFolder()
        let textsAlone = try model(.cross, modalities: [.text])
        #expect(throws: ConcordError.self) { try textsAlone.save(to: folder.path + "/x", training: nil) }
        let error = #expect(throws: ConcordError.self) {
            try model().save(to: folder.path + "/y", layout: .openCLIP, training: nil)
        }
        #expect(error?.message.contains("open_clip") == true)
        try model().save(to: folder.path + "/z", training: nil)
        let manifest = folder.path + "/z/concord.json"
        let text = String(decoding: try Files.read(manifest), as: UTF8.self)
        for wrong in [#"{"image": [1, "x"]}"#, #"{"image": []}"#, #"{"image": 3}"#] {
            let calibration = #""calibration": {"dataset": "d", "mean": \#(wrong)}, "format_version""#
            try Files.replace(
                manifest, with: text.replacing("\"format_version\"", with: calibration, maxReplacements: 1))
            let error = #expect(throws: ConcordError.self) { try EmbeddingModel.load(folder.path + "/z") }
            #expect(error?.message.contains("`calibration.mean.image`") == true)
        }
    }

    @Test func meansComeOffBeforeTheSearch() throws {
        try withTemporaryFolder { folder in
            _ = try TinyData.write(to: folder)
            let model = try model(), dataset = try CaptionDataset(contentsOf: folder)
            let gallery = try ImageGallery(model: model, dataset: dataset)
            let calibration = try ModalityCalibration.measure(model, gallery: gallery, name: "squares")
            let captions = dataset.items.flatMap { $0.captions.map(\.text) }
            let texts = try model.embed(texts: captions).vectors
            func mean(_ vectors: Tensor) -> [Float] { numbers(vectors.mean(axes: [0])) }
            expectClose(calibration.means[.image] ?? [], mean(gallery.vectors), absolute: 1e-6)
            expectClose(calibration.means[.text] ?? [], mean(texts), absolute: 1e-6)

            let search = try ImageSearch(model: model, dataset: dataset, gallery: gallery, calibration: calibration)
            let query = try model.embed(texts: ["a red square"]).vectors - Tensor(calibration.means[.text] ?? [])
            let images = gallery.vectors - Tensor(calibration.means[.image] ?? [])
            let scores = numbers(images.normalized().matmul(query.normalized().transposed(0, 1)).flattened())
            let found = try search.find(.text("a red square"), top: 5)
            let best = scores.indices.sorted { scores[$0] > scores[$1] }.prefix(5)
            expectClose(found.map(\.score), best.map { Double(scores[$0]) }, absolute: 1e-6)
            // New towers put all images near one point; without it they differ.
            let plain = ImageSearch(model: model, dataset: dataset, gallery: gallery)
            let spread = try plain.find(.text("a red square"), top: 32).map(\.score)
            let wide = try search.find(.text("a red square"), top: 32).map(\.score)
            #expect((wide.max() ?? 0) - (wide.min() ?? 0) > (spread.max() ?? 0) - (spread.min() ?? 0))

            let other = ModalityCalibration(means: [.image: [1]], dataset: "x")
            let error = #expect(throws: ConcordError.self) {
                try ImageSearch(model: model, dataset: dataset, gallery: gallery, calibration: other)
            }
            #expect(error?.message.contains("concord calibrate") == true)
            #expect(throws: ConcordError.self) {
                try ModalityCalibration.measure(model, gallery: gallery, split: "nowhere", name: "squares")
            }
        }
    }
}
