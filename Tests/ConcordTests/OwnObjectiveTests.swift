import Concord
import Testing

/// A model of someone else's, with modalities and an objective of its own: the program of the article "Your own model".
private struct ColorModel: TrainableModel {
    let store = ParameterStore(seed: 1)
    let pictures: Linear
    let names: Embedding
    let logitScale: Tensor

    init() {
        let scope = ParameterScope(store)
        pictures = Linear(scope / "pictures", 3 * 8 * 8, 32)
        names = Embedding(scope / "names", 27, 32, initializer: .normal(standardDeviation: 0.1))
        logitScale = scope.parameter("logit_scale", [], .constant(2.66))
    }

    func encoders(for outputs: Set<ModelOutput>) -> [RowEncoder] {
        [
            RowEncoder(.image) { pixels, _ in pictures(pixels).normalized() },
            RowEncoder("color") { numbers, _ in names(numbers).normalized() },
        ]
    }
}

/// Keeps the vectors of colors apart, whatever the pictures.
private struct SpreadObjective: TrainingObjective {
    let outputs: Set<ModelOutput> = [.embedding("color")]

    func terms(_ pass: ForwardPass) throws(ConcordError) -> [LossTerm] {
        let colors = try pass.embeddings(of: "color").values.selected(axis: 1, at: 0)  // [rows, 32]
        return [LossTerm("spread", colors.matmul(colors.transposed(0, 1)).square().mean(), weight: 0.1)]
    }
}

/// Pictures of some of 27 colors under noise.
private struct ColorSamples: Sendable {
    var pixels = [Float](), numbers = [Int]()

    init(_ index: Int, count: Int = 27) {
        var random = RandomSource(seed: 7, stream: UInt64(index))
        numbers = Array(0..<27)
        random.shuffle(&numbers)
        numbers = Array(numbers.prefix(count))
        for number in numbers {
            for channel in [number / 9, number / 3 % 3, number % 3] {
                for _ in 0..<64 { pixels.append(Float(channel) / 2 + 0.5 * Float(random.normal())) }
            }
        }
    }

    var pictures: Tensor { Tensor(pixels, shape: [numbers.count, 192]) }
    var colors: Tensor { Tensor(numbers) }
}

@Suite struct OwnObjectiveTests {
    private func trainer(_ model: ColorModel, _ more: [any TrainingObjective] = []) -> Trainer {
        let contrast = ContrastiveObjective(InfoNCE(logitScale: model.logitScale), between: .image, and: "color")
        return Trainer(
            model: model, objectives: [contrast] + more,
            options: .init(
                schedule: LearningRateSchedule(.cosine, peak: 0.02, warmupSteps: 10, totalSteps: 300),
                optimizer: .init(weightDecay: 0), seed: 1))
    }

    @Test func aModelFromOutsideTrainsByItsOwnObjective() throws {
        let model = ColorModel(), trainer = trainer(model, [SpreadObjective()])
        let loader = PrefetchLoader(batches: 0..<300, threads: 2) { ColorSamples($0) }
        var reports = [TrainingStep]()
        while let samples = try loader.next() {
            let batch = try Batch([.image: ModalityBatch(samples.pictures), "color": ModalityBatch(samples.colors)])
            reports.append(try trainer.step(reports.count, batch))
        }
        let first = try #require(reports.first), last = try #require(reports.last)
        #expect(first.terms.map(\.name) == ["contrastive", "spread"] && first["uniformity_color"] != nil)
        #expect(abs(first.loss - first.terms[0].value - 0.1 * first.terms[1].value) < 1e-5)
        #expect(last["accuracy"] ?? 0 > 0.9 && first["accuracy"] ?? 1 < 0.3, "\(first.values) \(last.values)")
    }

    @Test func aRowWithoutAModalityChangesNothing() throws {
        let samples = ColorSamples(3, count: 9), present = [0, 2, 3, 7]
        func gradients(_ batch: Batch) throws -> [[Float]] {
            let model = ColorModel()
            _ = try trainer(model).step(0, batch)
            return model.store.parameters.map { $0.tensor.gradient?.scalars(as: Float.self) ?? [] }
        }
        let rows = Tensor(present.map(Int64.init))
        let pictures = samples.pictures.indexSelected(axis: 0, rows), colors = samples.colors
        // Nine colors, of which four have a picture.
        let gaps = try Batch([.image: ModalityBatch(pictures, rows: present), "color": ModalityBatch(colors)])
        let pairs = try Batch([
            .image: ModalityBatch(pictures), "color": ModalityBatch(colors.indexSelected(axis: 0, rows)),
        ])
        #expect(gaps.count == 9 && pairs.count == 4)
        for (one, other) in zip(try gradients(gaps), try gradients(pairs)) {
            #expect(one.count == other.count && zip(one, other).allSatisfy { abs($0 - $1) < 1e-6 })
        }
    }

    @Test func whatDoesNotFitIsRefused() throws {
        let samples = ColorSamples(1, count: 5), model = ColorModel(), trainer = trainer(model)
        let pictures = ModalityBatch(samples.pictures), colors = ModalityBatch(samples.colors)
        let before = model.store.parameters.map { $0.tensor.scalars(as: Float.self) }
        let apart = try Batch(
            [
                .image: ModalityBatch(samples.pictures.narrowed(axis: 0, from: 0, count: 2), rows: [0, 1]),
                "color": ModalityBatch(samples.colors.narrowed(axis: 0, from: 0, count: 3), rows: [2, 3, 4]),
            ], count: 5)
        let noPair = #expect(throws: ConcordError.self) { try trainer.step(0, apart) }
        #expect(noPair?.code == .emptyBatch && noPair?.message.contains("step 1") == true)
        #expect(model.store.parameters.map { $0.tensor.scalars(as: Float.self) } == before)

        let wrong: [() throws -> Batch] = [
            { try Batch([.image: pictures, "color": ModalityBatch(Tensor([1, 2] as [Int64]))]) },
            { try Batch(["color": ModalityBatch(Tensor([1, 2] as [Int64]), rows: [3, 3])], count: 5) },
            { try Batch(["color": ModalityBatch(Tensor([1, 2] as [Int64]), rows: [3, 5])], count: 5) },
            { try Batch([.image: pictures, "color": colors], sampleIDs: [1]) },
            { try Batch(["color": ModalityBatch(samples.colors, lengths: Tensor([1, 2] as [Int64]))]) },
        ]
        for make in wrong { #expect(throws: ConcordError.self) { try make() } }
    }
}
