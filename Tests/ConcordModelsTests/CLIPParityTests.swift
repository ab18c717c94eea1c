import ConcordCheckpoint
import ConcordCore
import ConcordLosses
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordTestSupport
import Foundation
import Testing

/// CLIP against what Hugging Face's and open_clip's models compute; `scripts/golden/make_models.py` made the files.
@Suite struct CLIPParityTests {
    static let cases = ["huggingface-quickgelu-argmax", "huggingface-gelu-first-end", "open-clip-gelu"]

    /// A tiny model with the golden weights, and its inputs: batch 3, captions of unequal length.
    struct Setup {
        let model: DualEncoder
        let pixels, ids: Tensor
        let golden: [String: Golden.Tensor]

        init(_ name: String, _ dtype: DType) throws {
            let folder = Golden.folder("models") + "/" + name
            let store = ParameterStore(seed: 1, dtype: dtype)
            var configuration = try DualEncoderConfiguration(folder: folder)
            configuration.initialLogitScale = Double(Float(log(1 / 0.07)))
            model = DualEncoder(configuration, store: store)
            FormulaWeights.fill(store)
            golden = try Golden.tensors("models", name + "/outputs.safetensors")
            pixels = Tensor(FormulaWeights.formula("pixels", count: 3 * 3 * 16 * 16), shape: [3, 3, 16, 16]).to(dtype)
            let ids = try #require(golden["ids"])
            self.ids = Tensor(ids.integers, shape: ids.shape)
        }

        /// The gradient of the logit scale is a sum whose terms all but cancel, so its error is measured against the
        /// sum of their sizes: Σ |∂loss/∂logit · logit|.
        func logitScaleTerms() throws -> Double {
            let golden = try #require(golden["logits.float64"])
            let logits = Tensor(golden.values, shape: golden.shape), count = golden.shape[0]
            let own = Tensor.identity(count, dtype: .float64)
            let gradient = (logits.softmax(axis: 0) + logits.softmax(axis: 1) - own * 2) / Double(2 * count)
            return (gradient * logits).abs().sum().item()
        }

        func loss() throws -> (images: Tensor, texts: Tensor, loss: Tensor, logits: Tensor) {
            let images = model.embedImages(pixels), texts = model.embedTexts(ids)
            let loss = try InfoNCE(logitScale: model.logitScale)(images, texts)
            let logits = withoutGradient { images.matmul(texts.transposed(0, 1)) * model.logitScale.exp() }
            return (images, texts, loss, logits)
        }
    }

    /// Largest allowed errors: embeddings and logits absolute, loss relative, gradients relative to their tensor.
    struct Tolerance {
        let embedding, logit, loss, gradient: Double
        static func of(_ dtype: DType) -> Tolerance {
            dtype == .float64
                ? Tolerance(embedding: 1e-12, logit: 1e-11, loss: 1e-12, gradient: 1e-10)
                : Tolerance(embedding: 2e-6, logit: 2e-5, loss: 1e-6, gradient: 1e-5)
        }
    }

    @Test(arguments: cases, [DType.float32, .float64])
    func embeddingsLogitsAndLoss(_ name: String, _ dtype: DType) throws {
        let setup = try Setup(name, dtype), tolerance = Tolerance.of(dtype)
        let result = try withoutGradient { try setup.loss() }
        func check(_ key: String, _ tensor: Tensor, absolute: Double, relative: Double = 0) throws {
            let expected = try #require(setup.golden["\(key).\(dtype)"])
            expectClose(
                tensor.scalars(as: Double.self), expected.values, absolute: absolute, relative: relative, key)
        }
        try check("image", result.images, absolute: tolerance.embedding)
        try check("text", result.texts, absolute: tolerance.embedding)
        try check("logits", result.logits, absolute: tolerance.logit)
        try check("loss", result.loss, absolute: 0, relative: tolerance.loss)
    }

    @Test(arguments: cases)
    func embeddingsInBFloat16PointTheSameWay(_ name: String) throws {
        let setup = try Setup(name, .float32)
        let result = try withoutGradient { try autocast(.bfloat16) { try setup.loss() } }
        for (key, tensor) in [("image", result.images), ("text", result.texts)] {
            let golden = try #require(setup.golden["\(key).float64"])
            let expected = Tensor(golden.values, shape: golden.shape)
            let cosines = (tensor.to(.float64).normalized() * expected).sum(axes: [1]).scalars(as: Double.self)
            #expect(cosines.allSatisfy { $0 >= 0.9995 }, "\(key): \(cosines)")
            // Were nothing computed in bfloat16, the two would agree to six digits.
            #expect(cosines.contains { $0 < 0.999999999 }, "\(key): \(cosines)")
        }
    }

    @Test(arguments: cases, [DType.float32, .float64])
    func everyGradient(_ name: String, _ dtype: DType) throws {
        let setup = try Setup(name, dtype)
        let golden = try Golden.tensors("models", name + "/gradients.safetensors")
        try setup.loss().loss.backward()
        // The second case's reference is stored in float32, which has no more than 6e-8 of relative precision.
        let isStoredInFloat32 = name == "huggingface-gelu-first-end"
        let relative = max(Tolerance.of(dtype).gradient, isStoredInFloat32 ? 1e-7 : 0)
        let largest = golden.values.flatMap(\.values).map(abs).max() ?? 0
        #expect(Set(golden.keys) == Set(setup.model.store.parameters.map(\.name)))
        for parameter in setup.model.store.parameters {
            let expected = try #require(golden[parameter.name])
            let gradient = try #require(parameter.tensor.gradient, "\(parameter.name) has no gradient")
            var absolute = allowedGradientError(expected.values, relative: relative, largest: largest)
            if parameter.name == "logit_scale" { absolute = try relative * setup.logitScaleTerms() }
            expectClose(gradient.scalars(as: Double.self), expected.values, absolute: absolute, parameter.name)
        }
    }

    @Test(arguments: ["huggingface-quickgelu-argmax", "open-clip-gelu"], [DType.float32, .float64])
    func threeOptimizerSteps(_ name: String, _ dtype: DType) throws {
        let setup = try Setup(name, dtype)
        let golden = try Golden.tensors("models", name + "/three-steps.safetensors")
        let gradients = try Golden.tensors("models", name + "/gradients.safetensors")
        let largest = gradients.values.flatMap(\.values).map(abs).max() ?? 0
        let optimizer = AdamW(setup.model.store.trainable)
        var losses = [Double]()
        for _ in 0..<3 {
            setup.model.store.clearGradients()
            let loss = try setup.loss().loss
            loss.backward()
            optimizer.step(learningRate: 1e-3)
            setup.model.clampLogitScale()
            losses.append(loss.item())
        }
        let expectedLosses = try #require(golden["losses"]).values
        expectClose(losses, expectedLosses, absolute: 0, relative: dtype == .float64 ? 1e-10 : 1e-6, "losses")
        for parameter in setup.model.store.parameters {
            let expected = try #require(golden[parameter.name])
            let gradient = try #require(gradients[parameter.name])
            let gradientError = allowedGradientError(
                gradient.values, relative: Tolerance.of(dtype).gradient, largest: largest)
            // AdamW divides by the gradient's own size, so an error that the gradient may have moves the parameter by
            // its ratio to that size, times the learning rate, in each of three steps. Errors are compared with that
            // bound (and the rounding of the reference to float32), so 1 is the limit.
            let errors = zip(zip(parameter.tensor.scalars(as: Double.self), expected.values), gradient.values).map {
                values, gradient in
                let bound = 3 * 1e-3 * min(1, 3 * gradientError / (abs(gradient) + 1e-6))
                return abs(values.0 - values.1) / (bound + 2e-7 * max(abs(values.1), 0.1))
            }
            expectClose(errors, errors.map { _ in 0 }, absolute: 1, parameter.name)
        }
    }

    /// Text runs on the batch's longest caption; padding to the whole context must change nothing.
    @Test(arguments: cases)
    func shortTextEqualsFullPadding(_ name: String) throws {
        func run(padded: Bool) throws -> (texts: [Double], gradients: [String: [Double]]) {
            let setup = try Setup(name, .float64)
            let longest = 9, context = setup.model.configuration.text.contextLength
            let pad = Double(try #require(setup.golden["ids"]).values[4 + 1])
            let short = setup.ids.sliced(axis: 1, from: 0, to: longest)
            let filler = Tensor.full([3, context - longest], pad, dtype: .int64)
            let ids = padded ? Tensor.concatenated([short, filler], axis: 1) : short
            let texts = setup.model.embedTexts(ids)
            let images = setup.model.embedImages(setup.pixels)
            try InfoNCE(logitScale: setup.model.logitScale)(images, texts).backward()
            let gradients = setup.model.store.parameters.map {
                ($0.name, $0.tensor.gradient?.scalars(as: Double.self) ?? [])
            }
            return (texts.detached().scalars(as: Double.self), Dictionary(uniqueKeysWithValues: gradients))
        }
        let short = try run(padded: false), full = try run(padded: true)
        expectClose(short.texts, full.texts, absolute: 1e-14, "embeddings")
        for (parameter, gradient) in full.gradients {
            expectClose(short.gradients[parameter] ?? [], gradient, absolute: 1e-13, parameter)
        }
    }
}
