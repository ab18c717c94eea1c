import ConcordCheckpoint
import ConcordCore
import ConcordLosses
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordTestSupport
import ConcordTrain
import Foundation
import Synchronization
import Testing

/// Training in bfloat16 and float16: what is float32 all the same, and the loss scale.
@Suite struct HalfPrecisionTests {
    private var plans: [ExecutionPlan] { [.dense, .cached(chunk: 3)] }

    private func model() -> DualEncoder {
        DualEncoder(
            DualEncoderConfiguration(
                text: .transformer(
                    .init(
                        vocabularySize: 40, width: 16, intermediateWidth: 32, layers: 1, heads: 2, contextLength: 8,
                        activation: .gelu, padToken: 0, startToken: 1, endToken: 39)),
                vision: .init(
                    width: 16, intermediateWidth: 32, layers: 1, heads: 2, imageSize: 16, patchSize: 4,
                    activation: .gelu),
                projectionWidth: 12),
            store: ParameterStore(seed: 3))
    }

    private func batch(_ step: Int) throws -> Batch {
        var random = RandomSource(seed: UInt64(step), stream: 1)
        let ids = (0..<8).flatMap { _ -> [Int32] in
            [1] + (0..<6).map { _ in Int32(2 + random.index(below: 36)) } + [39]
        }
        return try Batch([
            .image: ModalityBatch(Tensor.normal([8, 3, 16, 16], generator: Generator(seed: UInt64(step)))),
            .text: ModalityBatch(Tensor(ids, shape: [8, 8])),
        ])
    }

    private func trainer(
        _ model: any TrainableModel, _ objectives: [any TrainingObjective], _ precision: Precision,
        plan: ExecutionPlan = .dense
    ) -> Trainer {
        Trainer(
            model: model, objectives: objectives,
            options: .init(
                schedule: LearningRateSchedule(.cosine, peak: 5e-3, warmupSteps: 2, totalSteps: 20), plan: plan,
                precision: precision, gradientClip: 1, averageDecay: 0.9, seed: 5))
    }

    private func trainer(_ model: DualEncoder, _ precision: Precision, plan: ExecutionPlan = .dense) -> Trainer {
        trainer(model, [ContrastiveObjective(InfoNCE(logitScale: model.logitScale))], precision, plan: plan)
    }

    // MARK: What stays float32

    /// A model whose vectors come right out of a product, in a half type.
    private struct BareModel: TrainableModel {
        let store = ParameterStore(seed: 1)
        let pictures, words: Linear

        init() {
            let scope = ParameterScope(store)
            pictures = Linear(scope / "pictures", 12, 6)
            words = Linear(scope / "words", 4, 6)
        }

        func encoders(for outputs: Set<ModelOutput>) -> [RowEncoder] {
            [RowEncoder(.image) { x, _ in pictures(x) }, RowEncoder(.text) { x, _ in words(x) }]
        }
    }

    /// Compares rows, and keeps the types of what it gets and of the gradients that it sends back.
    private struct Recorder: TrainingObjective {
        let outputs: Set<ModelOutput> = [.embedding(.image), .embedding(.text)]
        let types: @Sendable ([DType]) -> Void

        func terms(_ pass: ForwardPass) throws(ConcordError) -> [LossTerm] {
            let images = try pass.embeddings(of: .image).values, texts = try pass.embeddings(of: .text).values
            let product = images * texts
            let loss = product.mean()
            let gradients = Tensor.gradients(of: [loss], withRespectTo: [images, texts], retainingGraph: true)
            types([images.dtype, texts.dtype, product.dtype, loss.dtype] + gradients.compactMap { $0?.dtype })
            return [LossTerm("product", loss)]
        }
    }

    @Test(arguments: [Precision.bfloat16, .float16], [0, 1])
    func noHalfValueReachesAnObjective(_ precision: Precision, plan: Int) throws {
        let seen = Mutex<[DType]>([]), model = BareModel()
        let recorder = Recorder { types in seen.withLock { $0 += types } }
        let trainer = trainer(model, [recorder], precision, plan: plans[plan])
        let generator = Generator(seed: 2)
        let batch = try Batch([
            .image: ModalityBatch(Tensor.normal([8, 12], generator: generator)),
            .text: ModalityBatch(Tensor.normal([8, 4], generator: generator)),
        ])
        let report = try trainer.step(0, batch)
        #expect(seen.withLock { $0 } == [DType](repeating: .float32, count: 6))
        // Gradients and weights, too; the products have been in half precision nevertheless.
        for parameter in model.store.parameters {
            #expect(parameter.tensor.dtype == .float32 && parameter.tensor.gradient?.dtype == .float32)
        }
        let plain = BareModel()
        let whole = try self.trainer(plain, [recorder], .float32, plan: plans[plan]).step(0, batch)
        #expect(report.loss != whole.loss && abs(report.loss - whole.loss) < 0.02)
    }

    @Test(arguments: [Precision.bfloat16, .float16]) func chunksChangeNothing(_ precision: Precision) throws {
        let losses = try (plans + [.cached(chunk: 8)]).map { plan in
            let trainer = trainer(model(), precision, plan: plan)
            if let scaler = trainer.scaler { try scaler.restore(changed(scaler.state, "scale", to: 1024), path: "") }
            return try (0..<5).map { try trainer.step($0, batch($0), measures: false).loss }
        }
        expectClose(losses[1], losses[0], absolute: 0, relative: 2e-2)
        #expect(losses[2] == losses[0])
        // The first loss is that of the same weights in float32, but for the rounding of products.
        let whole = try trainer(model(), .float32).step(0, batch(0)).loss
        #expect(losses[0][0] != whole && abs(losses[0][0] - whole) < (precision == .float16 ? 5e-3 : 4e-2) * whole)
    }

    // MARK: The loss scale

    @Test(arguments: [0, 1]) func anOverflowLeavesTheRunAsWithoutThatStep(plan: Int) throws {
        let models = [model(), model()]
        let trainers = models.map { trainer($0, .float16, plan: plans[plan]) }
        func state(_ index: Int) -> [[Float]] {
            func weights() -> [[Float]] { models[index].store.parameters.map { $0.tensor.scalars(as: Float.self) } }
            return weights() + trainers[index].withFinalWeights { weights() }
        }
        let scaler = try #require(trainers[0].scaler)
        // One with which none of these steps overflows.
        let usual = try changed(scaler.state, "scale", to: 1024)
        for trainer in trainers { try trainer.scaler?.restore(usual, path: "") }
        var reports = [[TrainingStep]](repeating: [], count: 2)
        for step in 0..<8 {
            guard step == 4 else {
                reports[0].append(try trainers[0].step(step, batch(step)))
                reports[1].append(try trainers[1].step(step > 4 ? step - 1 : step, batch(step)))
                continue
            }
            let before = state(0)
            // A scale with which every gradient between products is beyond float16.
            try scaler.restore(changed(usual, "scale", to: 0x1p60), path: "")
            let report = try trainers[0].step(step, batch(step))
            #expect(report.gradientNorm.isNaN && report.skippedSteps == 1 && report["skipped"] == 1)
            #expect(report["loss_scale"] == 0x1p60 && scaler.scale == 0x1p59)
            #expect(state(0) == before)
            try scaler.restore(usual, path: "")
        }
        #expect(state(0) == state(1))
        #expect(reports[0].map(\.learningRate) == reports[1].map(\.learningRate))
        #expect(reports[0].map(\.gradientNorm) == reports[1].map(\.gradientNorm))
        #expect(Set(reports[1].compactMap(\.lossScale)) == [1024] && reports[1].last?.skippedSteps == 0)
    }

    private func changed(_ state: JSONValue, _ name: String, to value: Double) throws -> JSONValue {
        .object(try #require(state.members).map { $0.name == name ? .init(name, .number(value)) : $0 })
    }

    @Test func otherPrecisionsHaveNoScale() throws {
        for precision in [Precision.float32, .bfloat16, .auto] {
            let trainer = trainer(model(), precision)
            let report = try trainer.step(0, batch(0))
            #expect(trainer.scaler == nil && report.lossScale == nil && report["skipped"] == nil)
        }
    }

    @Test func aRunThatOnlyOverflowsNamesTheParameter() throws {
        let model = model(), trainer = trainer(model, .float16)
        let state = try changed(try #require(trainer.scaler).state, "scale", to: 0x1p120)
        try trainer.scaler?.restore(state, path: "")
        let error = #expect(throws: ConcordError.self) {
            for step in 0..<30 { _ = try trainer.step(step, batch(step), measures: false) }
        }
        #expect(error?.code == .nonFiniteValue && error?.message.contains("25 steps in a row") == true)
        #expect(model.store.parameters.contains { error?.message.contains($0.name) == true })
    }

    /// Of a run of the program: the log, the checkpoint, and going on from it.
    @Test func theScaleIsLoggedSavedAndRestored() throws {
        try withTemporaryFolder { folder in
            let recipe = try TinyData.write(to: folder), output = folder + "/run"
            let arguments = ["train", recipe, "--set", "train.precision=float16", "--output", output]
            let whole = try Program.run(arguments, in: folder)
            #expect(whole.status == 0, "\(whole.errors)")
            func log(_ name: String) throws -> [Double?] {
                try MetricsLog.read(output + "/metrics.jsonl").map { $0[name]?.double }
            }
            let scales = try log("loss_scale").compactMap(\.self), skipped = try log("skipped").compactMap(\.self)
            #expect(scales.count == 24 && skipped.count == 24)
            #expect(scales == [65_536] + skipped.dropLast().map { 65_536 * pow(0.5, $0) })
            let weights = try Files.read(output + "/model.safetensors"), losses = try log("loss")

            // The same bits from a checkpoint.
            let path = output + "/checkpoints/step-20/state.json"
            let saved = try JSONValue(contentsOf: path)
            let scaler = try #require(saved["scaler"])
            #expect(scaler.members?.map(\.name) == GradientScaler().state.members?.map(\.name))
            #expect(scaler["scale"]?.double == 65_536 * pow(0.5, skipped[19]))
            #expect(saved["skipped_steps"]?.double == skipped[19])
            func resume(_ state: JSONValue) throws -> Program.Result {
                try Files.replace(path, with: state.text())
                try? FileManager.default.removeItem(atPath: output + "/checkpoints/step-24")
                try? FileManager.default.removeItem(atPath: output + "/concord.json")
                return try Program.run(arguments + ["--resume"], in: folder)
            }
            #expect(try resume(saved).status == 0)
            let again = try (Files.read(output + "/model.safetensors"), log("loss"))
            #expect(again.0 == weights && again.1 == losses)

            // A scale that is about to grow, and one that is missing.
            let members = try #require(saved.members)
            let grown: JSONValue = [
                "scale": 1024.0, "growth_factor": 2.0, "backoff_factor": 0.5, "growth_interval": 2000,
                "_growth_tracker": 1998,
            ]
            let other = members.map { member in
                switch member.name {
                case "scaler": JSONValue.Member("scaler", grown)
                case "skipped_steps": JSONValue.Member("skipped_steps", 3)
                default: member
                }
            }
            let result = try resume(.object(other))
            #expect(result.status == 0, "\(result.errors)")
            #expect(try log("loss_scale").suffix(4) == [1024, 1024, 2048, 2048])
            #expect(try log("skipped").suffix(4) == [3, 3, 3, 3])
            let broken = try resume(.object(members.filter { $0.name != "scaler" }))
            #expect(broken.status == 1 && broken.errors.contains("scaler"), "\(broken.errors)")
        }
    }
}
