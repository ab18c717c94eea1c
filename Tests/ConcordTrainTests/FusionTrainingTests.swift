import ConcordCheckpoint
import ConcordCore
import ConcordLosses
import ConcordModelTestSupport
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordTestSupport
import ConcordTrain
import Testing

/// Steps of tiny fused models in float64, on rows of every pattern of presence.
@Suite struct FusionTrainingTests {
    private typealias Fixture = FusionFixture
    private static let rows = Array(0..<7)

    private static func trainer(
        _ model: FusedModel, _ objectives: [any TrainingObjective], plan: ExecutionPlan = .dense,
        group: ProcessGroup? = nil, rate: Double = 1e-3
    ) -> Trainer {
        Trainer(
            model: model, objectives: objectives,
            options: .init(
                schedule: LearningRateSchedule(.constant, peak: rate, warmupSteps: 0, totalSteps: 100), plan: plan,
                seed: 5, group: group))
    }

    private static func pairs(_ model: FusedModel) throws -> [any TrainingObjective] {
        try ContrastiveObjective.pairs(
            [
                .init(.image, .text): 1, .init(.text, .image): 1, .init(.image, .audio): 0.5, .init(.text, .audio): 2,
                .init(.audio, .text): 0.25,
            ], loss: InfoNCE(logitScale: model.logitScale))
    }

    /// The batch with a target picture in some rows and a class in others.
    private static func batch(_ rows: [Int], firstRow: Int = 0, patterns: [[Modality]] = Fixture.patterns) throws
        -> Batch
    {
        let plain = try Fixture.batch(rows, patterns: patterns)
        var parts = plain.present.reduce(into: [Modality: ModalityBatch]()) { $0[$1] = plain[$1] }
        func add(_ modality: Modality, _ wanted: Set<Int>, _ values: ([Int]) -> Tensor, groups: Bool = false) {
            let places = rows.indices.filter { wanted.contains(rows[$0]) }
            guard !places.isEmpty else { return }
            let own = places.map { rows[$0] }
            parts[modality] = ModalityBatch(
                values(own), rows: places, groups: groups ? Tensor(own.map { Int64($0 / 2) }) : nil)
        }
        add(.target(.image), [0, 1, 3, 4, 6], { Fixture.values(.image, $0.map { 6 - $0 }).values }, groups: true)
        add(.label, [0, 2, 5], { Tensor($0.map { Int64($0 % 4) }) })
        return try Batch(parts, count: rows.count, sampleIDs: rows, firstRow: firstRow)
    }

    private static func objectives(_ model: FusedModel) throws -> [any TrainingObjective] {
        try pairs(model) + [
            ContrastiveObjective.composedRetrieval(InfoNCE(logitScale: model.logitScale), weight: 0.7),
            ClassificationObjective(weight: 0.3),
        ]
    }

    private static func gradients(_ model: FusedModel) -> [String: [Double]] {
        Dictionary(
            uniqueKeysWithValues: model.store.trainable.map {
                ($0.name, $0.tensor.gradient?.scalars(as: Double.self) ?? [])
            })
    }

    private func expectSame(_ left: [String: [Double]], _ right: [String: [Double]], _ what: String) {
        #expect(left.keys == right.keys && left.values.contains { $0.contains { $0 != 0 } })
        for (name, values) in left.sorted(by: { $0.key < $1.key }) {
            expectClose(values, right[name] ?? [], absolute: 1e-12, "\(name), \(what)")
        }
    }

    // MARK: Gradients

    @Test(arguments: Fixture.exchanges) func theGradientOfAMixedBatchIsTheSumOfItsPatterns(
        _ exchange: FusionConfiguration.Exchange
    ) throws {
        let noise = Tensor.normal([7, 1, Fixture.width], generator: Generator(seed: 3)).to(.float64)
        func run(_ groups: [[Int]]) throws -> [String: [Double]] {
            let model = try Fixture.model(Fixture.configuration(at: 1, exchange, .gated))
            for rows in groups {
                let vectors = try model(Fixture.batch(rows)).vectors
                (vectors * noise.indexSelected(axis: 0, Tensor(rows.map(Int64.init)))).sum().backward()
            }
            return Self.gradients(model)
        }
        // Rows of which some have the same modalities, with others between them.
        let rows = [3, 0, 5, 3, 1, 6, 0, 2, 5, 4]
        expectSame(try run([rows]), try run(rows.map { [$0] }), "\(exchange)")
    }

    @Test func anAbsentTowersGradientIsZero() throws {
        let model = try Fixture.model(Fixture.configuration(at: Fixture.layers, classes: 4))
        let patterns = Self.rows.map { _ in [Modality.image, .text] }
        _ = try Self.trainer(model, Self.objectives(model)).step(0, Self.batch(Self.rows, patterns: patterns))
        let gradients = Self.gradients(model)
        for (name, values) in gradients {
            #expect(!values.isEmpty, "\(name)")
            #expect(!name.contains("audio") || values.allSatisfy { $0 == 0 }, "\(name)")
        }
        #expect(gradients.keys.contains { $0.contains("audio") })
    }

    // MARK: Objectives

    @Test func aPairsTermIsTheLossOfTheRowsThatHaveBoth() throws {
        let model = try Fixture.model(Fixture.configuration(at: 1, .cross, .gated))
        let step = try Self.trainer(model, Self.pairs(model)).step(0, Self.batch(Self.rows))
        let fresh = try Fixture.model(Fixture.configuration(at: 1, .cross, .gated))
        var total = 0.0
        let expected: [(Modality, Modality, Double, Bool, String)] = [
            (.image, .text, 2, true, "image_text"), (.image, .audio, 0.5, false, "image_to_audio"),
            (.text, .audio, 2, false, "text_to_audio"), (.audio, .text, 0.25, false, "audio_to_text"),
        ]
        for (query, answer, weight, isSymmetric, name) in expected {
            let both = Self.rows.filter {
                Fixture.patterns[$0].contains(query) && Fixture.patterns[$0].contains(answer)
            }
            #expect(both.count == 2)
            func vectors(_ modality: Modality) throws -> Tensor {
                try fresh(Fixture.batch(both, patterns: Self.rows.map { _ in [modality] })).vectors
                    .selected(axis: 1, at: 0)
            }
            var loss = InfoNCE(logitScale: fresh.logitScale)
            loss.isSymmetric = isSymmetric
            let value = try loss(vectors(query), vectors(answer)).item()
            #expect(abs((step[name + "_loss"] ?? .nan) - value) < 1e-12, "\(name)")
            total += weight * value
        }
        #expect(abs(step.loss - total) < 1e-12)
        #expect(throws: ConcordError.self) {
            try ContrastiveObjective.pairs([.init(.image, .image): 1], loss: InfoNCE(temperature: 0.1))
        }
    }

    @Test func aComposedQueryLooksForItsTarget() throws {
        let configuration = Fixture.configuration(at: 1, .full, .gated)
        let model = try Fixture.model(configuration), fresh = try Fixture.model(configuration)
        let objective = ContrastiveObjective.composedRetrieval(InfoNCE(logitScale: model.logitScale))
        let batch = try Self.batch(Self.rows), step = try Self.trainer(model, [objective]).step(0, batch)
        let rows = try #require(batch[.target(.image)]?.rows)
        let queries = try fresh(Fixture.batch(rows)).vectors.selected(axis: 1, at: 0)
        let targets = try fresh(
            Batch([.image: ModalityBatch(Fixture.values(.image, rows.map { 6 - $0 }).values)])
        ).vectors.selected(axis: 1, at: 0)
        let loss = InfoNCE(logitScale: fresh.logitScale)
        let value = try loss(queries, targets, labels: Tensor(rows.map { Int64($0 / 2) })).item()
        #expect(abs(step.loss - value) < 1e-12)
    }

    @Test func classesAreLearnt() throws {
        let model = try Fixture.model(Fixture.configuration(at: 1, .latents(count: 2), .attention, classes: 4))
        let trainer = Self.trainer(model, [ClassificationObjective()], rate: 0.02), batch = try Self.batch(Self.rows)
        let fresh = try Fixture.model(Fixture.configuration(at: 1, .latents(count: 2), .attention, classes: 4))
        let labels: [Int] = [0, 2, 5]
        let vectors = try fresh(Fixture.batch(labels)).vectors.selected(axis: 1, at: 0)
        let scores = try #require(fresh.logits(vectors))
        let expected = Tensor.crossEntropy(scores, targets: Tensor(labels.map { Int64($0 % 4) })).item()
        let steps = try (0..<60).map { try trainer.step($0, batch) }
        #expect(abs(steps[0].loss - expected) < 1e-12)
        #expect(steps[59].loss < 0.5 * steps[0].loss && steps[59]["class_accuracy"] == 1)
        let wrong = try Batch([
            .image: ModalityBatch(Fixture.values(.image, [0, 1]).values),
            .label: ModalityBatch(Tensor([0, 4] as [Int64])),
        ])
        let error = #expect(throws: ConcordError.self) { try trainer.step(60, wrong) }
        #expect(error?.message.contains("4 classes") == true)
    }

    // MARK: Plans and processes

    @Test(arguments: [1, 2, 3]) func chunksChangeNothing(_ chunk: Int) throws {
        func run(_ plan: ExecutionPlan) throws -> (Double, [String: [Double]]) {
            let model = try Fixture.model(
                Fixture.configuration(
                    at: 1, .bottleneck(tokens: 2), .gated, dropout: [.image: 0.5, .text: 0.5], classes: 4))
            let step = try Self.trainer(model, Self.objectives(model), plan: plan).step(0, Self.batch(Self.rows))
            return (step.loss, Self.gradients(model))
        }
        let whole = try run(.dense), parts = try run(.cached(chunk: chunk))
        #expect(abs(whole.0 - parts.0) < 1e-12)
        expectSame(parts.1, whole.1, "chunks of \(chunk)")
    }

    /// The rows of each process; some have no sound, no pair, no target or nothing at all.
    private static let splits: [[[Int]]] = [
        [[0, 1, 2, 3], [4, 5, 6]], [[1], [0, 2, 3, 4, 5, 6]], [[1, 2], [3], [0, 4], [5, 6]],
        [[0, 1, 2, 3, 4, 5, 6], [2]],
    ]

    @Test(arguments: splits) func processesShareABatch(_ split: [[Int]]) throws {
        @Sendable func run(_ rows: [Int], firstRow: Int, _ group: ProcessGroup?) throws -> (Double, [String: [Double]])
        {
            let model = try Fixture.model(
                Fixture.configuration(at: 1, .full, .gated, dropout: [.text: 0.4], classes: 4))
            let step = try Self.trainer(model, Self.objectives(model), group: group)
                .step(0, Self.batch(rows, firstRow: firstRow))
            return (step.loss, Self.gradients(model))
        }
        let whole = try run(split.flatMap(\.self), firstRow: 0, nil)
        let results = try runRanks(split.count) { group in
            let first = split[..<group.rank].reduce(0) { $0 + $1.count }
            return try run(split[group.rank], firstRow: first, group)
        }
        for (rank, result) in results.enumerated() {
            let (loss, gradients) = try result.get()
            #expect(abs(loss - whole.0) < 1e-12, "rank \(rank)")
            expectSame(gradients, whole.1, "rank \(rank) of \(split)")
        }
    }

    // MARK: Dropout

    @Test func dropoutOfModalitiesIsOfTheSample() throws {
        let dropout = ModalityDropout([.image: 0.5, .text: 0.8], seed: 4), all: [Modality] = [.audio, .image, .text]
        let kept = (0..<2000).map { dropout.kept(all, sampleID: $0, epoch: 1) }
        #expect(kept == (0..<2000).map { dropout.kept(all, sampleID: $0, epoch: 1) })
        #expect(kept != (0..<2000).map { dropout.kept(all, sampleID: $0, epoch: 2) })
        #expect(kept.allSatisfy { $0.contains(.audio) })
        func share(_ modality: Modality) -> Double { Double(kept.count { $0.contains(modality) }) / 2000 }
        #expect(abs(share(.image) - 0.5) < 0.04 && abs(share(.text) - 0.2) < 0.04)
        // Drawn apart: both stay in a tenth.
        #expect(abs(Double(kept.count { $0.count == 3 }) / 2000 - 0.1) < 0.03)
        // The last one stays.
        let high = ModalityDropout([.image: 0.99, .text: 0.99], seed: 4)
        #expect((0..<500).allSatisfy { !high.kept([.image, .text], sampleID: $0, epoch: 0).isEmpty })
        #expect((0..<500).allSatisfy { high.kept([.image], sampleID: $0, epoch: 0) == [.image] })
    }

    @Test func trainingLeavesOutWhatDropoutTakes() throws {
        let dropout = [Modality.image: 0.6, .audio: 0.3], drawn = ModalityDropout(dropout, seed: 5)
        let patterns = Fixture.patterns.enumerated().map { row, pattern in
            drawn.kept(pattern.sorted(), sampleID: row, epoch: 0)
        }
        #expect(patterns != Fixture.patterns)
        func loss(_ dropout: [Modality: Double], _ patterns: [[Modality]]) throws -> Double {
            let model = try Fixture.model(Fixture.configuration(at: 1, .full, .gated, dropout: dropout, classes: 4))
            return try Self.trainer(model, [ClassificationObjective()]).step(
                0, Self.batch(Self.rows, patterns: patterns)
            )
            .loss
        }
        #expect(abs(try loss(dropout, Fixture.patterns) - loss([:], patterns)) < 1e-12)
    }
}
