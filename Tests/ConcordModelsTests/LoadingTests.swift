import ConcordCheckpoint
import ConcordCore
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordTestSupport
import Foundation
import Testing

/// Loading reads a file once, and says everything that is wrong with it.
@Suite struct LoadingTests {
    @Test(arguments: [0, 8])
    func aFileThatChangesWhileItIsReadIsNamed(_ remaining: Int) throws {
        let golden = try GoldenFolder("siglip"), original = golden.weights + "/model.safetensors"
        try withTemporaryFolder { folder in
            let path = folder + "/model.safetensors"
            try FileManager.default.copyItem(atPath: original, toPath: path)
            let reader = try CheckpointReader(path: path)
            // Whoever has the file open sees this; a mapping would end the process here.
            #expect(truncate(path, off_t(reader.files[0].file.count - 1 + remaining)) == 0)
            let source = ParameterSource(reader, layout: golden.layout)
            let model = DualEncoder(try golden.configuration, store: ParameterStore(sources: [source]))
            let error = #expect(throws: ConcordError.self) { try model.store.finishLoading() }
            #expect(error?.code == .fileSystem && error?.message.contains("\(path) was changed") == true)
        }
    }

    @Test func whatBecomesOfTheFileAfterLoadingIsOfNoMatter() throws {
        let golden = try GoldenFolder("siglip"), original = golden.weights + "/model.safetensors"
        try withTemporaryFolder { folder in
            let path = folder + "/model.safetensors"
            try FileManager.default.copyItem(atPath: original, toPath: path)
            let source = ParameterSource(try CheckpointReader(path: path), layout: golden.layout)
            let model = DualEncoder(try golden.configuration, store: ParameterStore(sources: [source]))
            try model.store.finishLoading()
            #expect(truncate(path, 0) == 0)
            let untouched = try golden.dualEncoder()
            for (parameter, expected) in zip(model.store.parameters, untouched.store.parameters) {
                #expect(parameter.tensor.scalars(as: Float.self) == expected.tensor.scalars(as: Float.self))
            }
        }
    }

    @Test func trainingLeavesTheFileAlone() throws {
        let golden = try GoldenFolder("siglip"), path = golden.weights + "/model.safetensors"
        let before = try Files.read(path), model = try golden.dualEncoder()
        let old = model.store.parameters.map { $0.tensor.scalars(as: Float.self) }
        let optimizer = AdamW(model.store.trainable)
        model.logits(images: model.embedImages(golden.pixels(.float32)), texts: model.embedTexts(golden.ids)).sum()
            .backward()
        optimizer.step(learningRate: 0.1)
        for (parameter, values) in zip(model.store.parameters, old) {
            #expect(parameter.tensor.scalars(as: Float.self) != values, "\(parameter.name)")
        }
        #expect(try Files.read(path) == before)
        #expect(try golden.dualEncoder().store.parameters.map { $0.tensor.scalars(as: Float.self) } == old)
    }

    // Bad input

    /// A copy of a golden folder whose tensors `change` has changed.
    private func withWeights(
        of name: String, changed change: (inout [String: Tensor]) -> Void, _ body: (String) throws -> Void
    ) throws {
        let golden = try GoldenFolder(name), original = try golden.reader.files[0].file.path
        try withTemporaryFolder { folder in
            let copy = folder + "/model"
            try FileManager.default.copyItem(atPath: golden.folder.path, toPath: copy)
            let file = copy + original.dropFirst(golden.folder.path.count)
            var tensors = try TensorFile.read(original)
            change(&tensors)
            try TensorFile.write(tensors.map { ($0.key, $0.value) }, to: file)
            try body(copy)
        }
    }

    /// The message of the error that `body` throws.
    private func message(_ code: ConcordError.Code, _ body: () throws -> Void) -> String {
        let error = #expect(throws: ConcordError.self, performing: body)
        #expect(error?.code == code)
        return error?.message ?? ""
    }

    @Test func nanWeightsGiveANoteWithTheFilesName() throws {
        let name = "visual.transformer.resblocks.1.attn.in_proj_weight"
        try withWeights(of: "open-clip") { tensors in
            withoutGradient { tensors[name]?.selected(axis: 0, at: 47).fill(.nan) }
        } _: { folder in
            let model = try DualEncoder.load(folder)
            #expect(model.store.notes.count == 1)
            #expect(model.store.notes.first?.contains("1 tensors of \(folder)") == true)
            #expect(model.store.notes.first?.contains("the first `\(name)`") == true)
        }
    }

    @Test func allMissingUnexpectedAndMismatchedKeysAreInOneError() throws {
        let folder = try GoldenFolder("open-clip")
        var configuration = try folder.configuration
        configuration.vision.layers = 3
        configuration.vision.intermediateWidth = 40
        if case .transformer(var text) = configuration.text {
            text.layers = 1
            configuration.text = .transformer(text)
        }
        let text = message(.invalidCheckpoint) {
            _ = try GoldenFolder.dualEncoder(configuration, from: folder.weights, layout: folder.layout)
        }
        #expect(text.contains("12 missing, 12 unexpected, 6 mismatched"), "\(text)")
        // q, k and v are one tensor in the file, and named once.
        let stacked = "visual.transformer.resblocks.2.attn.in_proj_weight [48, 16]"
        #expect(text.components(separatedBy: stacked).count == 2)
        #expect(text.contains("  transformer.resblocks.1.mlp.c_fc.weight [32, 16]\n"))
        #expect(
            text.contains("visual.transformer.resblocks.0.mlp.c_proj.weight: the model has [16, 40], the file [16, 32]")
        )
    }

    @Test func keyOfAnotherNameIsSuggested() throws {
        try withWeights(of: "huggingface-clip") { tensors in
            tensors["vision_model.pre_layernorm.weight"] = tensors.removeValue(
                forKey: "vision_model.pre_layrnorm.weight")
        } _: { folder in
            let text = message(.invalidCheckpoint) { _ = try DualEncoder.load(folder) }
            #expect(text.contains("did the file mean it by `vision_model.pre_layernorm.weight`?"), "\(text)")
        }
    }

    /// A tensor that should have an axis of one in front has two, or the wrong count of rows to be split: an error, not
    /// a trap.
    @Test func tensorsThatCannotBeTakenApartAreMismatched() throws {
        try withWeights(of: "siglip") { tensors in
            tensors["logit_scale"] = .zeros([2])
            tensors["vision_model.head.attention.in_proj_bias"] = .zeros([47])
        } _: { folder in
            let text = message(.invalidCheckpoint) { _ = try DualEncoder.load(folder) }
            #expect(text.contains("2 mismatched"), "\(text)")
            #expect(text.contains("in_proj_bias: the model has [48], the file [47]"), "\(text)")
        }
    }

    @Test func integerWeightsAreRefused() throws {
        let name = "text_model.encoder.layers.0.mlp.fc1.weight"
        try withWeights(of: "huggingface-clip") {
            $0[name] = .zeros([32, 16], dtype: .uint8)
        } _: { folder in
            for dtype in [DType.float32, nil] {
                let text = message(.invalidCheckpoint) { _ = try DualEncoder.load(folder, dtype: dtype) }
                #expect(text.contains("`\(name)`, which is uint8"), "\(text)")
            }
        }
    }

    @Test func configurationThatClaimsAHugePictureIsRefused() throws {
        let folder = try GoldenFolder("huggingface-clip")
        var configuration = try folder.configuration
        configuration.vision.imageSize = 1 << 24
        let text = message(.invalidCheckpoint) {
            _ = try GoldenFolder.dualEncoder(configuration, from: folder.weights, layout: folder.layout)
        }
        #expect(text.contains("1 mismatched"), "\(text)")
    }

    @Test func towersMustBeThoseAskedFor() throws {
        let sentences = GoldenFolder.path("bert-mean"), pair = GoldenFolder.path("huggingface-clip")
        #expect(
            message(.invalidConfiguration) { _ = try DualEncoder.load(sentences) }.contains(
                "a sentence encoder, which is no DualEncoder"))
        #expect(
            message(.invalidConfiguration) { _ = try SentenceEncoder.load(pair) }.contains(
                "a model of two towers, which is no SentenceEncoder"))
    }
}
