import ConcordCheckpoint
import ConcordCore
import ConcordLosses
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordTestSupport
import Foundation
import Testing

/// CoCa against open_clip's, with the mask that open_clip 3.3 has and with the right one.
@Suite struct CoCaParityTests {
    @Test(arguments: CoCaGolden.names, [DType.float32, .float64])
    func embeddingsLogitsAndLosses(_ name: String, _ dtype: DType) throws {
        let golden = try CoCaGolden(name), tolerance = CLIPParityTests.Tolerance.of(dtype)
        for mask in CoCaGolden.Mask.allCases {
            let model = try golden.model(dtype, mask: mask)
            #expect(model.store.notes.isEmpty)
            try withoutGradient {
                let output = model(golden.pixels(dtype), golden.ids)
                let logits = model.tokenLogits(output.states)
                let loss = try CoCaGolden.loss(model, output)
                func key(_ name: String) -> String { "\(mask.rawValue).\(name).\(dtype)" }
                try golden.expect(key("image"), output.images, absolute: tolerance.embedding)
                try golden.expect(key("text"), output.texts, absolute: tolerance.embedding)
                try golden.expect(key("logits"), logits, absolute: tolerance.logit)
                try golden.expect(key("contrastive"), loss.contrastive, absolute: 0, relative: tolerance.loss)
                try golden.expect(key("caption"), loss.caption, absolute: 0, relative: tolerance.loss)
            }
        }
    }

    @Test(arguments: CoCaGolden.withGradients, [DType.float32, .float64])
    func everyGradient(_ item: (name: String, mask: CoCaGolden.Mask), _ dtype: DType) throws {
        let golden = try CoCaGolden(item.name), model = try golden.model(dtype, mask: item.mask)
        // The peer's gradients have its weights' names and shapes, so they are read as weights are.
        let expected = try golden.model(
            .float64, from: golden.folder.path + "/gradients-\(item.mask.rawValue).safetensors")
        let output = model(golden.pixels(dtype), golden.ids)
        try CoCaGolden.loss(model, output).total.backward()
        let relative = CLIPParityTests.Tolerance.of(dtype).gradient
        let sizes = Dictionary(
            uniqueKeysWithValues: expected.store.parameters.map { ($0.name, $0.tensor.abs().max().item()) })
        let largest = sizes.values.max() ?? 0
        #expect(model.store.parameters.count == expected.store.parameters.count)
        for (parameter, reference) in zip(model.store.parameters, expected.store.parameters) {
            #expect(parameter.name == reference.name)
            let gradient = try #require(parameter.tensor.gradient, "\(parameter.name) has no gradient")
            let values = reference.tensor.scalars(as: Double.self)
            var absolute = allowedGradientError(values, relative: relative, largest: largest)
            // A sum whose terms all but cancel; see `CLIPParityTests.Setup.logitScaleTerms`. These are below 10.
            if parameter.name == "logit_scale" { absolute = relative * 10 }
            // Softmax's gradient is a difference of like terms, and they are of the size of what reaches the values; so
            // that of queries and keys is as exact as theirs.
            if let projection = ["q_proj", "k_proj"].first(where: parameter.name.contains) {
                let values = parameter.name.replacingOccurrences(of: projection, with: "v_proj")
                absolute = max(absolute, relative * (sizes[values] ?? 0))
            }
            expectClose(
                gradient.scalars(as: Double.self), values, absolute: absolute, "\(item.name): \(parameter.name)")
        }
    }

    /// The gradient does not depend on whether blocks keep their activations.
    @Test func recomputedActivationsGiveTheSameGradients() throws {
        let golden = try CoCaGolden("coca")
        func gradients(_ recomputes: Bool) throws -> [[Double]] {
            let model = try golden.model(.float64)
            model.store.isTraining = true
            model.store.usesActivationCheckpointing = recomputes
            try CoCaGolden.loss(model, model(golden.pixels(.float64), golden.ids)).total.backward()
            return model.store.parameters.map { $0.tensor.gradient?.scalars(as: Double.self) ?? [] }
        }
        for (one, other) in zip(try gradients(false), try gradients(true)) {
            expectClose(one, other, absolute: 1e-14, relative: 1e-12)
        }
    }

    /// Gradient caching, a chunk of the batch at a time, gives the loss and the gradients of the whole.
    @Test(arguments: [1, 2]) func cachedPlanGivesTheSameGradients(_ chunk: Int) throws {
        let golden = try CoCaGolden("coca"), pixels = golden.pixels(.float64)
        func run(_ plan: ExecutionPlan?) throws -> (loss: Double, gradients: [[Double]]) {
            let model = try golden.model(.float64)
            let output: CaptioningOutput
            if let plan {
                let parts = plan.encode([pixels, golden.ids]) { inputs in
                    let output = model(inputs[0], inputs[1])
                    return [output.images, output.texts, output.states, output.labels]
                }
                output = CaptioningOutput(images: parts[0], texts: parts[1], states: parts[2], labels: parts[3])
            } else {
                output = model(pixels, golden.ids)
            }
            let loss = try CoCaGolden.loss(model, output, plan: plan?.scores ?? .dense)
            loss.total.backward()
            let gradients = model.store.parameters.map { $0.tensor.gradient?.scalars(as: Double.self) ?? [] }
            return (loss.total.item(), gradients)
        }
        let whole = try run(nil), cached = try run(.cached(chunk: chunk, scores: .tiled(rows: 2)))
        expectClose([cached.loss], [whole.loss], absolute: 0, relative: 1e-13)
        for (one, other) in zip(cached.gradients, whole.gradients) {
            expectClose(one, other, absolute: 1e-12 * max(1, other.map(abs).max() ?? 0))
        }
    }

    /// A batch as long as its longest caption gives what one padded to the context does, whichever the mask.
    @Test(arguments: CoCaGolden.Mask.allCases)
    func shortTextsEqualPaddedOnes(_ mask: CoCaGolden.Mask) throws {
        let golden = try CoCaGolden("coca"), model = try golden.model(.float64, mask: mask)
        let padded = golden.ids.sliced(axis: 0, from: 0, to: 2), short = padded.sliced(axis: 1, from: 0, to: 5)
        try withoutGradient {
            let (full, states) = model.encodeTexts(padded)
            let (embeddings, shortStates) = model.encodeTexts(short)
            expectClose(embeddings.scalars(as: Double.self), full.scalars(as: Double.self), absolute: 1e-14)
            // The third row of five is padding in the second text, whose states nobody reads.
            for (row, length) in [5, 3].enumerated() {
                func own(_ states: Tensor) -> [Double] {
                    states.selected(axis: 0, at: row).sliced(axis: 0, from: 0, to: length).scalars(as: Double.self)
                }
                expectClose(own(shortStates), own(states), absolute: 1e-14)
            }
            let pixels = golden.pixels(.float64).sliced(axis: 0, from: 0, to: 2)
            let one = try CoCaGolden.loss(model, model(pixels, short))
            let other = try CoCaGolden.loss(model, model(pixels, padded))
            expectClose([one.total.item()], [other.total.item()], absolute: 0, relative: 1e-14)
        }
    }

    @Test(arguments: CoCaGolden.names) func savedAgainIsTheSameFile(_ name: String) throws {
        let golden = try CoCaGolden(name)
        try withTemporaryFolder { folder in
            let file = folder + "/model.safetensors"
            try golden.model(nil).store.save(
                to: file, layout: golden.folder.layout, metadata: golden.reader.metadata)
            #expect(try Files.read(file) == Files.read(golden.reader.files[0].file.path))
            // In Concord's own names and back.
            try golden.model(nil).store.save(to: file)
            let source = ParameterSource(try CheckpointReader(path: file), layout: .huggingFace)
            let model = CoCa(golden.configuration, store: ParameterStore(sources: [source], dtype: nil))
            try model.store.finishLoading()
            let again = folder + "/again.safetensors"
            try model.store.save(to: again, layout: golden.folder.layout, metadata: golden.reader.metadata)
            #expect(try Files.read(again) == Files.read(golden.reader.files[0].file.path))
        }
    }

    /// The configuration from which `make_coca.py` has open_clip make the model again, with the same outputs.
    @Test(arguments: CoCaGolden.names) func writesTheConfigurationThatOpenCLIPRead(_ name: String) throws {
        let golden = try CoCaGolden(name)
        let document = try Golden.json("models", "folders/\(name)/open_clip_config.json")
        let written = try golden.configuration.openCLIPJSON(
            preprocessing: #require(document["preprocess_cfg"]))
        let expected = try String(
            decoding: Files.read(Golden.folder("models") + "/written/\(name).json"), as: UTF8.self)
        #expect(written.text(pretty: true) + "\n" == expected)
    }

    /// The configuration that is written is read back as the same; so is Concord's own form.
    @Test(arguments: CoCaGolden.names) func configurationsComeBack(_ name: String) throws {
        let golden = try CoCaGolden(name)
        for mask in CoCaGolden.Mask.allCases {
            var configuration = golden.configuration
            configuration.text.classTokenMask = mask
            let written = try configuration.openCLIPJSON(preprocessing: [:])
            let model = try #require(written["model_cfg"])
            #expect(try CoCaConfiguration(openCLIP: model, path: "") == configuration)
            #expect(try CoCaConfiguration(own: configuration.configurationJSON(), path: "") == configuration)
        }
        #expect(
            golden.configuration.parameters
                == (try golden.model(nil).store.parameters.map { KeyReport.Key($0.name, $0.tensor.shape) }))
    }
}
