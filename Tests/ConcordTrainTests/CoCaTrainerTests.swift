import ConcordCheckpoint
import ConcordCore
import ConcordLosses
import ConcordModelTestSupport
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordTestSupport
import ConcordTrain
import Foundation
import Testing

/// Steps of a tiny CoCa, with two captions of every picture.
@Suite struct CoCaTrainerTests {
    private static let batch = 7, slots = 2

    private func model() -> CoCa {
        var text = TextTransformerConfiguration(
            vocabularySize: 40, width: 16, intermediateWidth: 32, layers: 1, heads: 2, contextLength: 8,
            activation: .gelu, padToken: 0, startToken: 1, endToken: 39, pooling: .argmax)
        text.classTokenMask = .correct
        var vision = VisionTransformerConfiguration(
            width: 24, intermediateWidth: 48, layers: 1, heads: 2, imageSize: 16, patchSize: 4, activation: .gelu)
        vision.queryPooling = QueryPoolingConfiguration(queries: 5, width: 16, heads: 2)
        vision.normalizesAfterPooling = false
        return CoCa(
            CoCaConfiguration(
                text: text, vision: vision,
                decoder: .init(width: 16, intermediateWidth: 32, layers: 1, heads: 2), projectionWidth: 12),
            store: ParameterStore(seed: 3))
    }

    private func trainer(
        _ model: CoCa, weights: (contrastive: Double, caption: Double) = (1, 2), plan: ExecutionPlan = .dense,
        group: ProcessGroup? = nil
    ) -> Trainer {
        Trainer(
            model: model,
            objectives: [
                ContrastiveObjective(InfoNCE(logitScale: model.logitScale), weight: weights.contrastive),
                CaptioningObjective(model, weight: weights.caption),
            ],
            options: .init(
                schedule: LearningRateSchedule(.constant, peak: 2e-3, warmupSteps: 0, totalSteps: 100), plan: plan,
                seed: 5, group: group))
    }

    private func batch(_ step: Int) throws -> Batch {
        let (pixels, ids) = inputs(step)
        return try Batch([.image: ModalityBatch(pixels), .text: ModalityBatch(ids, hasViews: true)])
    }

    /// Captions `[batch, slots, 8]` of unequal lengths, padded by the pad token.
    private func inputs(_ step: Int) -> (pixels: Tensor, ids: Tensor) {
        var random = RandomSource(seed: UInt64(step), stream: 1)
        let ids = (0..<Self.batch * Self.slots).flatMap { _ -> [Int64] in
            let length = 3 + random.index(below: 6)
            return (0..<8).map { place in
                place == 0 ? 1 : place == length - 1 ? 39 : place >= length ? 0 : Int64(2 + random.index(below: 36))
            }
        }
        return (
            Tensor.normal([Self.batch, 3, 16, 16], generator: Generator(seed: UInt64(step))),
            Tensor(ids, shape: [Self.batch, Self.slots, 8])
        )
    }

    private func steps(_ trainer: Trainer) throws -> [TrainingStep] {
        try (0..<4).map { try trainer.step($0, batch($0), measures: false) }
    }

    @Test func theLossIsThatOfEachSlotByItself() throws {
        let model = model(), (pixels, ids) = inputs(0)
        let step = try trainer(model, weights: (0.5, 3)).step(0, batch(0), measures: false)

        let fresh = self.model()
        var contrastive = 0.0, caption = 0.0
        for slot in 0..<Self.slots {
            let output = fresh(pixels, ids.selected(axis: 1, at: slot))
            let scores = fresh.logits(images: output.images, texts: output.texts).to(.float64)
            let both = scores.logSoftmax(axis: 1) + scores.logSoftmax(axis: 0)
            let own = Tensor((0..<Self.batch).map(Int64.init)).unsqueezed(1)  // [B, 1]
            contrastive -= both.gathered(axis: 1, own).sum().item() / Double(2 * Self.batch)
            let logits = fresh.tokenLogits(output.states).to(.float64).logSoftmax(axis: -1)
            let values = logits.scalars(as: Double.self), labels = output.labels.scalars(as: Int.self)
            let counted = labels.indices.filter { labels[$0] != 0 }
            caption -= counted.map { values[$0 * 40 + labels[$0]] }.reduce(0, +) / Double(counted.count)
        }
        contrastive /= Double(Self.slots)
        caption /= Double(Self.slots)
        #expect(abs((step["contrastive_loss"] ?? 0) - contrastive) < 1e-5 * contrastive)
        #expect(abs((step["caption_loss"] ?? 0) - caption) < 1e-5 * caption)
        #expect(abs(step.loss - (0.5 * contrastive + 3 * caption)) < 1e-5 * step.loss)
        #expect(step.values.map(\.name).starts(with: ["epoch", "loss", "contrastive_loss", "caption_loss"]))
    }

    @Test(arguments: [1, 3, 7]) func chunksChangeNothing(_ chunk: Int) throws {
        let whole = try steps(trainer(model()))
        let cached = try steps(trainer(model(), plan: .cached(chunk: chunk, scores: .tiled(rows: 2))))
        for (step, expected) in zip(cached, whole) {
            #expect(abs(step.loss - expected.loss) < 1e-5 * expected.loss)
            #expect(abs(step.gradientNorm - expected.gradientNorm) < 1e-4 * expected.gradientNorm)
        }
        #expect(whole[0].loss != whole[3].loss)
    }

    @Test func bothPartsAreLearnt() throws {
        let trainer = trainer(model()), batch = try batch(0)
        let steps = try (0..<60).map { try trainer.step($0, batch, measures: false) }
        for name in ["caption_loss", "contrastive_loss"] {
            #expect((steps[59][name] ?? 9) < 0.7 * (steps[0][name] ?? 0), "\(name)")
        }
    }

    /// Pictures of which the first have captions; the others are in a process of their own.
    @Test(arguments: [0, 1]) func aProcessWithoutCaptionsTakesPart(_ silent: Int) throws {
        @Sendable func run(_ rows: [Int], _ group: ProcessGroup?) throws -> (loss: Double, gradient: [Float]) {
            let (pixels, ids) = inputs(0), captioned = rows.filter { $0 < 4 }
            func select(_ tensor: Tensor, _ rows: [Int]) -> Tensor {
                tensor.indexSelected(axis: 0, Tensor(rows.map(Int64.init)))
            }
            var parts: [Modality: ModalityBatch] = [.image: ModalityBatch(select(pixels, rows))]
            if !captioned.isEmpty {
                parts[.text] = ModalityBatch(
                    select(ids, captioned), rows: captioned.indices.map { $0 }, hasViews: true)
            }
            let model = model()
            let step = try trainer(model, group: group).step(0, Batch(parts), measures: false)
            return (
                step.loss, model.store.trainable.flatMap { $0.tensor.gradient?.scalars(as: Float.self) ?? [] }
            )
        }
        let whole = try run(Array(0..<Self.batch), nil)
        let parts = silent == 1 ? [Array(0..<4), Array(4..<7)] : [Array(4..<7), Array(0..<4)]
        for result in try runRanks(2, { try run(parts[$0.rank], $0) }) {
            let (loss, gradient) = try result.get()
            #expect(abs(loss - whole.loss) < 1e-5 * whole.loss)
            expectClose(gradient, whole.gradient, absolute: 1e-5)
        }
    }
}
