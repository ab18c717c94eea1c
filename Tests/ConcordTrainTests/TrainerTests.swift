import ConcordCheckpoint
import ConcordCore
import ConcordLosses
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordTrain
import Foundation
import Testing

/// Steps of tiny models on drawn pictures and captions.
@Suite struct TrainerTests {
    private static let batch = 10

    private func model(patchDropout: Double = 0, bias: Double? = nil, rechecks: Bool = false) -> DualEncoder {
        let store = ParameterStore(seed: 3)
        store.usesActivationCheckpointing = rechecks
        var model = DualEncoder(
            DualEncoderConfiguration(
                text: .transformer(
                    .init(
                        vocabularySize: 40, width: 16, intermediateWidth: 32, layers: 1, heads: 2, contextLength: 8,
                        activation: .gelu, padToken: 0, startToken: 1, endToken: 39)),
                vision: .init(
                    width: 16, intermediateWidth: 32, layers: 1, heads: 2, imageSize: 16, patchSize: 4,
                    activation: .gelu),
                projectionWidth: 12, initialLogitScale: bias == nil ? log(1 / 0.07) : log(10), initialLogitBias: bias),
            store: store)
        model.patchDropout = patchDropout
        return model
    }

    private func trainer(
        _ model: DualEncoder, loss: (any ContrastiveLoss)? = nil, plan: ExecutionPlan = .dense, widths: [Int] = [],
        precision: Precision = .float32, rate: Double = 2e-3
    ) -> Trainer {
        let objective = ContrastiveObjective(
            loss ?? InfoNCE(logitScale: model.logitScale), matryoshkaWidths: widths)
        return Trainer(
            model: model, objectives: [objective],
            options: .init(
                schedule: LearningRateSchedule(.constant, peak: rate, warmupSteps: 0, totalSteps: 100), plan: plan,
                precision: precision, seed: 5))
    }

    /// Pictures `[batch, 3, 16, 16]` and captions `[batch, 2, 8]`, two of each picture, of unequal lengths.
    private func inputs(_ step: Int) -> (pixels: Tensor, ids: Tensor, lengths: Tensor) {
        let generator = Generator(seed: UInt64(step)), slots = 2, count = Self.batch * slots
        var random = RandomSource(seed: UInt64(step), stream: 1)
        let lengths = (0..<count).map { _ in Int64(3 + random.index(below: 5)) }
        let ids = lengths.flatMap { length -> [Int32] in
            [1] + (1..<7).map { $0 < length - 1 ? Int32(2 + random.index(below: 36)) : 39 } + [39]
        }
        return (
            Tensor.normal([Self.batch, 3, 16, 16], generator: generator),
            Tensor(ids, shape: [Self.batch, slots, 8]), Tensor(lengths, shape: [Self.batch, slots])
        )
    }

    private func batch(_ step: Int, groups: Tensor? = nil) throws -> Batch {
        let (pixels, ids, lengths) = inputs(step)
        return try Batch([
            .image: ModalityBatch(pixels),
            .text: ModalityBatch(ids, lengths: lengths, groups: groups, hasViews: true),
        ])
    }

    private func losses(_ trainer: Trainer, steps: Int = 5) throws -> [Double] {
        try (0..<steps).map { step in
            try trainer.step(step, batch(step), measures: false).loss
        }
    }

    private func expectSame(_ losses: [Double], _ expected: [Double], within tolerance: Double = 1e-5) {
        #expect(losses.count == expected.count)
        for (loss, expected) in zip(losses, expected) {
            #expect(abs(loss - expected) <= tolerance * abs(expected), "\(losses) against \(expected)")
        }
    }

    // MARK: Plans

    @Test(arguments: [1, 3, 5, 10, 64]) func chunksChangeNothing(_ chunk: Int) throws {
        let whole = try losses(trainer(model())), last = try #require(whole.last)
        let tiled = try losses(trainer(model(), plan: .tiled(rows: 4)))
        let cached = try losses(trainer(model(), plan: .cached(chunk: chunk, scores: .tiled(rows: 4))))
        #expect(whole[0] != last)
        expectSame(tiled, whole)
        expectSame(cached, whole)
    }

    @Test func chunksChangeNoWeight() throws {
        let plans: [ExecutionPlan] = [.dense, .cached(chunk: 4), .cached(chunk: 4, scores: .dense)]
        let weights = try plans.map { plan in
            let model = model()
            _ = try losses(trainer(model, plan: plan))
            return model.store.parameters.flatMap { $0.tensor.scalars(as: Float.self) }
        }
        for other in weights.dropFirst() {
            // AdamW divides by the gradients' size: where that is rounding, a step may go either way.
            let distance = zip(weights[0], other).map { abs($0 - $1) }.max() ?? 1
            #expect(distance < 2e-3, "\(distance)")
            let mean = zip(weights[0], other).map { abs($0 - $1) }.reduce(0, +) / Float(other.count)
            #expect(mean < 1e-6, "\(mean)")
        }
    }

    @Test(arguments: [1, 4, 10]) func patchDropoutIsTheSameInChunks(_ chunk: Int) throws {
        let whole = try losses(trainer(model(patchDropout: 0.5)))
        expectSame(try losses(trainer(model(patchDropout: 0.5), plan: .cached(chunk: chunk))), whole)
        expectSame(
            try losses(trainer(model(patchDropout: 0.5, rechecks: true), plan: .cached(chunk: chunk))), whole)
        #expect(try losses(trainer(model())) != whole)
    }

    @Test func aChunkDrawsTheSamePatchesWhenItIsEmbeddedAgain() throws {
        func gradients(_ plan: ExecutionPlan) throws -> [(name: String, values: [Float])] {
            let model = model(patchDropout: 0.5)
            _ = try trainer(model, plan: plan).step(0, batch(4))
            return model.store.parameters.map { ($0.name, $0.tensor.gradient?.scalars(as: Float.self) ?? []) }
        }
        let expected = try gradients(.dense), overall = expected.flatMap(\.values).map(abs).max() ?? 0
        for (cached, kept) in zip(try gradients(.cached(chunk: 4)), expected) {
            // Attention does not change when all keys move alike, so a key's bias has rounding for a gradient.
            let isZero = kept.name.hasSuffix("k_proj.bias")
            let largest = isZero ? overall : kept.values.map(abs).max() ?? 0
            let distance = zip(cached.values, kept.values).map { abs($0 - $1) }.max() ?? 0
            #expect(cached.values.count == kept.values.count && distance <= 1e-5 * largest, "\(kept.name) \(distance)")
        }
        #expect(expected.contains { $0.name.contains("vision_model") && $0.values.contains { $0 != 0 } })
    }

    @Test func chunksGoWithActivationCheckpointingAndBFloat16() throws {
        let whole = try losses(trainer(model())), rechecked = trainer(model(rechecks: true), plan: .cached(chunk: 3))
        expectSame(try losses(rechecked), whole)
        let half = try losses(trainer(model(), precision: .bfloat16))
        let cached = try losses(trainer(model(), plan: .cached(chunk: 3), precision: .bfloat16))
        expectSame(cached, half, within: 2e-2)
    }

    @Test func aLockedTextTowerGoesWithChunks() throws {
        let vectors = Tensor.normal([Self.batch, 12], generator: Generator(seed: 8)).normalized()
        let results = try [ExecutionPlan.dense, .cached(chunk: 4)].map { plan in
            let trainer = trainer(model(), plan: plan)
            return try (0..<4).map { step in
                let texts = ModalityBatch(vectors, isEmbedded: true)
                return try trainer.step(step, Batch([.image: ModalityBatch(inputs(step).pixels), .text: texts])).loss
            }
        }
        expectSame(results[1], results[0])
    }

    // MARK: Losses

    enum Kind: String, CaseIterable {
        case infonce, decoupled, hard, smooth, siglip, triplet, semiHard, softplus, matryoshka
    }

    @Test(arguments: Kind.allCases, [false, true])
    func everyLossIsLearnt(_ kind: Kind, inChunks: Bool) throws {
        let plan = inChunks ? ExecutionPlan.cached(chunk: 4) : .dense
        let model = model(bias: kind == .siglip ? -10 : nil)
        var infonce = InfoNCE(logitScale: model.logitScale)
        let loss: any ContrastiveLoss
        switch kind {
        case .infonce, .matryoshka: loss = infonce
        case .decoupled:
            infonce.isDecoupled = true
            loss = infonce
        case .hard:
            infonce.hardness = 2
            loss = infonce
        case .smooth:
            infonce.labelSmoothing = 0.1
            loss = infonce
        case .siglip:
            loss = SigmoidLoss(logitScale: model.logitScale, logitBias: try #require(model.logitBias))
        case .triplet, .semiHard, .softplus:
            var triplets = try TripletMarginLoss(
                margin: 0.2, distance: .cosine, penalty: kind == .softplus ? .softplus : .hinge,
                mining: kind == .semiHard ? .semiHard : .any, averaging: .all)
            triplets.isSymmetric = true
            loss = triplets
            model.logitScale.requiresGradient = false
        }
        let trainer = trainer(model, loss: loss, plan: plan, widths: kind == .matryoshka ? [12, 4] : [], rate: 5e-3)
        let batch = try batch(0)
        let reports = try (0..<40).map { try trainer.step($0, batch) }
        let first = try #require(reports.first), last = try #require(reports.last)
        func value(_ step: TrainingStep, _ name: String) -> Double { step[name] ?? .nan }
        func margin(_ step: TrainingStep) -> Double { value(step, "positive_cosine") - value(step, "negative_cosine") }
        #expect(last.loss < 0.9 * first.loss, "\(first.loss) to \(last.loss)")
        #expect(margin(last) > margin(first) + 0.1)
        #expect(value(last, "accuracy") > value(first, "accuracy"))
        if kind == .siglip { #expect(first["logit_bias"] == -10 && value(last, "logit_bias") != -10) }
        if kind == .triplet { #expect(value(last, "logit_scale") == value(first, "logit_scale")) }
    }

    @Test func captionsThatReadTheSameAreWhatTheLossSays() throws {
        let groups = Tensor((0..<2 * Self.batch).map { Int64($0 / 4) }, shape: [Self.batch, 2])
        func loss(_ same: DuplicatePolicy?) throws -> Double {
            let model = model()
            var loss = InfoNCE(logitScale: model.logitScale)
            if let same { loss.duplicates = same }
            return try trainer(model, loss: loss).step(0, batch(1, groups: same == nil ? nil : groups)).loss
        }
        let plain = try loss(nil), negatives = try loss(.negatives), ignored = try loss(.ignored)
        let positives = try loss(.positives)
        #expect(negatives == plain)
        #expect(ignored < plain)
        #expect(positives != plain && positives != ignored)
    }

    // MARK: Values

    @Test func valuesAreThoseOfTheReport() throws {
        let model = model(), (pixels, ids, lengths) = inputs(2)
        let (images, captions) = withoutGradient {
            (
                model.embedImages(pixels),
                (0..<2).map { view in
                    model.embedTexts(
                        ids.selected(axis: 1, at: view), lengths: lengths.selected(axis: 1, at: view))
                }
            )
        }
        let reports = try captions.map { try ContrastiveReport(images, $0) }
        let step = try trainer(model).step(0, batch(2))
        func mean(_ value: (ContrastiveReport) -> Double) -> Double { (value(reports[0]) + value(reports[1])) / 2 }
        let expected: [(String, Double)] = [
            ("accuracy", mean(\.accuracy)), ("positive_cosine", mean(\.positiveCosine)),
            ("negative_cosine", mean(\.negativeCosine)), ("ln_n", log(10)), ("alignment", mean(\.alignment)),
            ("uniformity_image", mean(\.first.uniformity)), ("uniformity_text", mean(\.second.uniformity)),
        ]
        for (name, expected) in expected { #expect(abs((step[name] ?? .nan) - expected) < 1e-5, "\(name)") }
        let names = step.values.map(\.name)
        for name in [
            "epoch", "loss", "learning_rate", "logit_scale", "accuracy", "positive_cosine", "negative_cosine",
            "gradient_norm", "samples_per_second", "data_wait", "ln_n", "alignment", "uniformity_image",
            "uniformity_text",
        ] { #expect(names.contains(name)) }
        #expect(!names.contains("logit_bias"))
    }

    @Test func unmeasuredStepsTakeTheSameStep() throws {
        let (measured, plain) = (trainer(model()), trainer(model()))
        for step in 0..<3 {
            let one = try measured.step(step, batch(step)), other = try plain.step(step, batch(step), measures: false)
            #expect(one.loss == other.loss && one.gradientNorm == other.gradientNorm)
            #expect(one["accuracy"] != nil && other["accuracy"] == nil && other.measurements.isEmpty)
        }
    }

    @Test func aCollapsedTowerIsReported() throws {
        let (_, ids, lengths) = inputs(0)
        // The same picture again and again.
        let batch = try Batch([
            .image: ModalityBatch(.ones([Self.batch, 3, 16, 16])),
            .text: ModalityBatch(ids, lengths: lengths, hasViews: true),
        ])
        let step = try trainer(model()).step(0, batch)
        #expect(step.warnings.contains { $0.kind == .collapse && $0.message.contains("image") })
    }

    @Test func theHardestTripletsCollapseANewModelWhichIsReported() throws {
        // Well known of new towers (Schroff et al. 2015): everything in one point costs no more than the margin.
        let model = model(), batch = try batch(0)
        var triplets = try TripletMarginLoss(margin: 0.2, distance: .cosine, mining: .batchHard)
        triplets.isSymmetric = true
        model.logitScale.requiresGradient = false
        let trainer = trainer(model, loss: triplets, rate: 5e-3)
        let reports = try (0..<40).map { try trainer.step($0, batch) }
        let last = try #require(reports.last)
        #expect(abs(last.loss - 0.2) < 0.02 && last["uniformity_image"] ?? -1 > -0.1, "\(last)")
        #expect(last.warnings.contains { $0.kind == .collapse && $0.message.contains("semi-hard") })
    }

    @Test func aDamagedPictureNamesTheStep() throws {
        let (pixels, ids, lengths) = inputs(0)
        pixels.narrowed(axis: 0, from: 2, count: 1).fill(.nan)
        let texts = ModalityBatch(ids, lengths: lengths, hasViews: true)
        let error = #expect(throws: ConcordError.self) {
            try trainer(model()).step(6, Batch([.image: ModalityBatch(pixels), .text: texts]))
        }
        #expect(error?.code == .nonFiniteValue)
        #expect(error?.message.contains("step 7") == true)
    }
}
