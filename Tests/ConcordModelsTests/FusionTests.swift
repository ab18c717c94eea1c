import ConcordCheckpoint
import ConcordCore
import ConcordModelTestSupport
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordTestSupport
import Testing

/// What a fused model's vectors must equal, in float64.
@Suite struct FusionTests {
    private typealias Fixture = FusionFixture
    private let rows = Array(0..<7)
    /// Rows of which some have the same modalities, with others between them.
    private let mixed = [3, 0, 5, 3, 1, 6, 0, 2, 5, 4]

    private func vectors(_ model: FusedModel, _ batch: Batch) throws -> [Double] {
        try withoutGradient { try model(batch).vectors.scalars(as: Double.self) }
    }

    private func expectSame(
        _ left: [Double], _ right: [Double], _ name: String, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(left.contains { $0 != 0 }, sourceLocation: sourceLocation)
        expectClose(left, right, absolute: 1e-12, name, sourceLocation: sourceLocation)
    }

    /// All exchanges with all combinations and stand-ins.
    private static let kinds = Fixture.exchanges.flatMap { exchange in
        Fixture.combinations.flatMap { combine in
            [FusionConfiguration.Missing.skip, .token, .prompt(tokens: 2)].map { (exchange, combine, $0) }
        }
    }

    // MARK: Early, late and between

    /// The vector of each tower on its own, of some rows without padding.
    private func own(_ model: FusedModel, _ modality: Modality) throws -> Tensor {
        let (values, lengths) = Fixture.values(modality, [1, 6])
        let tower = try #require(model.towers[modality]), projection = try #require(model.projections[modality])
        let pooled: Tensor
        switch tower {
        case let tower as VisionTransformer: pooled = tower(values)
        case let tower as TextTransformer: pooled = tower(values)  // rows that fill the batch
        case let tower as SpeechTower: pooled = tower(values, lengths: lengths)
        default: throw ConcordError(.invalidArgument, "no tower")
        }
        return projection(pooled).normalized()
    }

    @Test(arguments: Fixture.exchanges) func atTheLastLayerFusionIsLate(
        _ exchange: FusionConfiguration.Exchange
    ) throws {
        let model = try Fixture.model(Fixture.configuration(at: Fixture.layers, exchange))
        let all = [Fixture.modalities], batch = try Fixture.batch([1, 6], patterns: rows.map { _ in all[0] })
        let mean = try Fixture.modalities.map { try own(model, $0) }.reduce(Tensor(0, dtype: .float64), +)
        expectSame(try vectors(model, batch), mean.normalized().scalars(as: Double.self), "late")
        // The same towers whatever the exchange would be.
        let other = try Fixture.model(Fixture.configuration(at: Fixture.layers, .full))
        #expect(try vectors(model, batch) == vectors(other, batch))
        #expect(model.store.parameters.map(\.name) == other.store.parameters.map(\.name))
    }

    @Test(arguments: [0, 1, 2]) func aBottleneckWithoutTokensIsLate(_ at: Int) throws {
        let model = try Fixture.model(Fixture.configuration(at: at, .bottleneck(tokens: 0), .gated))
        let late = try Fixture.model(Fixture.configuration(at: Fixture.layers, .bottleneck(tokens: 0), .gated))
        let batch = try Fixture.batch(rows)
        expectSame(try vectors(model, batch), try vectors(late, batch), "no tokens")
        let one = try Fixture.model(Fixture.configuration(at: at, .bottleneck(tokens: 1), .gated))
        #expect(try vectors(one, batch) != vectors(late, batch))
    }

    @Test func atZeroFusionIsEarly() throws {
        let model = try Fixture.model(Fixture.configuration(at: 0, .full))
        let exchange = try #require(model.exchange as? FullExchange)
        // All tokens, marked, through one stack.
        var parts = [Tensor]()
        for modality in Fixture.modalities {
            let tower = try #require(model.towers[modality]), type = try #require(exchange.types[modality])
            #expect(tower.encoder.blocks.isEmpty)
            parts.append(tower.embedded(Fixture.values(modality, [0]).values, lengths: nil).tokens + type)
        }
        let together = exchange.encoder(.concatenated(parts, axis: 1)).split(sizes: parts.map { $0.size(1) }, axis: 1)
        var sum = Tensor(0, dtype: .float64)
        for (modality, tokens) in zip(Fixture.modalities, together) {
            let tower = try #require(model.towers[modality]), projection = try #require(model.projections[modality])
            sum = sum + projection(tower.pooled(TokenSequence(tokens))).normalized()
        }
        let parameters: [Modality: ModalityBatch] = Dictionary(
            uniqueKeysWithValues: Fixture.modalities.map { ($0, ModalityBatch(Fixture.values($0, [0]).values)) })
        let early = try vectors(model, Batch(parameters))
        expectSame(early, sum.normalized().scalars(as: Double.self), "early")
    }

    // MARK: Absence

    @Test(arguments: kinds, [0, 1, 2]) func aRowInAMixedBatchIsTheRowAlone(
        _ kind: (FusionConfiguration.Exchange, FusionConfiguration.Combination, FusionConfiguration.Missing), _ at: Int
    ) throws {
        let model = try Fixture.model(Fixture.configuration(at: at, kind.0, kind.1, kind.2))
        let together = try vectors(model, Fixture.batch(mixed))
        let alone = try mixed.flatMap { try vectors(model, Fixture.batch([$0])) }
        expectSame(together, alone, "\(kind) at \(at)")
    }

    @Test(arguments: Fixture.combinations) func aRowInALateMixedBatchIsTheRowAlone(
        _ combine: FusionConfiguration.Combination
    ) throws {
        for missing in [FusionConfiguration.Missing.skip, .token] {
            let model = try Fixture.model(Fixture.configuration(at: Fixture.layers, .full, combine, missing))
            let together = try vectors(model, Fixture.batch(mixed))
            expectSame(together, try mixed.flatMap { try vectors(model, Fixture.batch([$0])) }, "\(combine) \(missing)")
        }
    }

    @Test func orderChangesNothing() throws {
        let order = [4, 0, 6, 4, 2, 5, 0, 1, 3], shares = Fixture.width
        for exchange in Fixture.exchanges {
            let model = try Fixture.model(Fixture.configuration(at: 1, exchange, .gated))
            let straight = try vectors(model, Fixture.batch(rows)), mixed = try vectors(model, Fixture.batch(order))
            let expected = order.flatMap { straight[$0 * shares..<($0 + 1) * shares] }
            expectSame(mixed, expected, "order of rows, \(exchange)")
        }
        let reversed = FusionConfiguration(modalities: Fixture.modalities.reversed(), at: 1)
        #expect(reversed == FusionConfiguration(modalities: Fixture.modalities, at: 1))
    }

    @Test(arguments: kinds) func paddingChangesNothing(
        _ kind: (FusionConfiguration.Exchange, FusionConfiguration.Combination, FusionConfiguration.Missing)
    ) throws {
        let model = try Fixture.model(Fixture.configuration(at: 1, kind.0, kind.1, kind.2))
        let plain = try vectors(model, Fixture.batch(rows))
        for padding in [1, 2, 5] {
            expectSame(try vectors(model, Fixture.batch(rows, padding: padding)), plain, "\(kind) + \(padding)")
        }
    }

    @Test(arguments: [FusionConfiguration.Combination.mean, .gated, .attention])
    func aSingleModalityIsItsTowersVector(_ combine: FusionConfiguration.Combination) throws {
        let model = try Fixture.model(Fixture.configuration(at: Fixture.layers, .full, combine))
        for modality in Fixture.modalities {
            let batch = try Fixture.batch([1, 6], patterns: rows.map { _ in [modality] })
            expectSame(
                try vectors(model, batch), try own(model, modality).scalars(as: Double.self), "\(combine) \(modality)")
        }
    }

    @Test func viewsAreRows() throws {
        let model = try Fixture.model(Fixture.configuration(at: 1, .cross, .gated))
        let (image, _) = Fixture.values(.image, [0, 1]), (ids, lengths) = Fixture.values(.text, [2, 3, 4, 5])
        let several = try Batch([
            .image: ModalityBatch(image),
            .text: ModalityBatch(
                ids.reshaped([2, 2, -1]), lengths: lengths?.reshaped([2, 2]), hasViews: true),
        ])
        let repeated = try Batch([
            .image: ModalityBatch(image.repeatInterleaved(2, axis: 0)), .text: ModalityBatch(ids, lengths: lengths),
        ])
        #expect(try model(several).vectors.shape == [2, 2, Fixture.width])
        expectSame(try vectors(model, several), try vectors(model, repeated), "views")
    }

    // MARK: Combiners

    private let vectors2 = [Modality.image, .text].enumerated().map { index, modality in
        (
            modality: modality,
            vector: Tensor.normal([5, 4], generator: Generator(seed: UInt64(index))).to(.float64).normalized()
        )
    }

    private func combiner(
        _ kind: FusionConfiguration.Combination, _ modalities: [Modality] = [.image, .text]
    ) -> (combiner: any Combiner, store: ParameterStore) {
        let store = ParameterStore(seed: 4, dtype: .float64)
        let made = makeCombiner(ParameterScope(store), kind, modalities: modalities, width: 4)
        withoutGradient {
            for parameter in store.parameters {
                parameter.tensor.formAdd(
                    Tensor.normal(parameter.tensor.shape, generator: Generator(seed: 6)).to(.float64))
            }
        }
        return (made, store)
    }

    private func value(_ store: ParameterStore, _ name: String) throws -> Tensor {
        try #require(store.parameters.first { $0.name == name }?.tensor)
    }

    @Test func lowRankIsTensorFusionOfThatRank() throws {
        for present in [["image", "text"], ["image"], ["text"]] as [[Modality]] {
            let (combiner, store) = combiner(.lowRank(rank: 3))
            let one = Tensor.ones([5, 1]).to(.float64), zero = Tensor.zeros([5, 4]).to(.float64)
            // [1; x], with x = 0 for what is absent.
            let sides = vectors2.map { entry in
                Tensor.concatenated([one, present.contains(entry.modality) ? entry.vector : zero], axis: 1)
            }
            let factors = try ["image", "text"].map { name in
                Tensor.concatenated(
                    [
                        try value(store, name + ".bias").reshaped([3, 4, 1]),
                        try value(store, name + ".weight").reshaped([3, 4, 4]),
                    ], axis: 2)  // [rank, width, 1 + width]
            }
            let matrix = Tensor.einsum("r,roa,rob->oab", [try value(store, "rank")] + factors)
            let expected =
                Tensor.einsum("oab,na,nb->no", [matrix] + sides) + (try value(store, "bias"))
            let result = combiner(vectors2.filter { present.contains($0.modality) }).vector
            expectSame(
                result.scalars(as: Double.self), expected.scalars(as: Double.self), "rank 3 of \(present)")
        }
    }

    @Test func aGateOfTwoIsTheGatedMultimodalUnit() throws {
        let (combiner, store) = combiner(.gated), (x, y) = (vectors2[0].vector, vectors2[1].vector)
        func weight(_ gate: String, _ seen: String) throws -> Tensor {
            try value(store, "\(gate).\(seen).weight").transposed(0, 1)
        }
        let onX = try weight("image", "image") - weight("text", "image")
        let onY = try weight("image", "text") - weight("text", "text")
        let logit = try x.matmul(onX) + y.matmul(onY) + value(store, "image.bias") - value(store, "text.bias")
        let gate = logit.sigmoid(), expected = gate * x + (1 - gate) * y
        let result = combiner(vectors2)
        expectSame(result.vector.scalars(as: Double.self), expected.scalars(as: Double.self), "unit")
        let shares = try #require(result.shares).selected(axis: 1, at: 0)
        expectSame(shares.scalars(as: Double.self), gate.mean(axes: [1]).scalars(as: Double.self), "share")
        // Saturated, it is the branch.
        try withoutGradient { try value(store, "text.bias").fill(1e3) }
        expectSame(combiner(vectors2).vector.scalars(as: Double.self), y.scalars(as: Double.self), "saturated")
    }

    @Test func concatenationIsScaledByWhatIsPresent() throws {
        let (combiner, store) = combiner(.concat), (x, y) = (vectors2[0].vector, vectors2[1].vector)
        let bias = try value(store, "bias")
        let onX = try x.matmul(value(store, "image.weight").transposed(0, 1))
        let onY = try y.matmul(value(store, "text.weight").transposed(0, 1))
        for (present, expected) in [(vectors2, bias + onX + onY), ([vectors2[1]], bias + 2 * onY)] {
            expectSame(
                combiner(present).vector.scalars(as: Double.self), expected.scalars(as: Double.self),
                "\(present.count) present")
        }
    }

    @Test func bottleneckTokensAreTheMeanOfWhatTheStacksMakeOfThem() throws {
        // Two layers by hand, for a picture and a text.
        let model = try Fixture.model(Fixture.configuration(at: 1, .bottleneck(tokens: 2)))
        let shared = try value(model.store, "exchange.tokens").unsqueezed(0)  // [1, 2, width]
        var parts = [(modality: Modality, tokens: Tensor)]()
        for modality in [Modality.image, .text] {
            let tower = try #require(model.towers[modality])
            let tokens = tower.embedded(Fixture.values(modality, [0]).values, lengths: nil).tokens
            parts.append((modality, tower.encoder(tokens, layers: 0..<1)))
        }
        var tokens = shared
        for layer in 1..<3 {
            var updates = [Tensor]()
            for (index, part) in parts.enumerated() {
                let tower = try #require(model.towers[part.modality]), count = part.tokens.size(1)
                let all = tower.encoder(.concatenated([part.tokens, tokens], axis: 1), layers: layer..<layer + 1)
                parts[index].tokens = all.sliced(axis: 1, from: 0, to: count)
                updates.append(all.sliced(axis: 1, from: count))
            }
            tokens = (updates[0] + updates[1]) / 2
        }
        var sum = Tensor(0, dtype: .float64)
        for part in parts {
            let tower = try #require(model.towers[part.modality])
            let projection = try #require(model.projections[part.modality])
            sum = sum + projection(tower.pooled(TokenSequence(part.tokens))).normalized()
        }
        let batch = try Batch([
            .image: ModalityBatch(Fixture.values(.image, [0]).values),
            .text: ModalityBatch(Fixture.values(.text, [0]).values),
        ])
        expectSame(try vectors(model, batch), sum.normalized().scalars(as: Double.self), "bottleneck")
    }

    @Test func attentionWithEqualLogitsIsTheMean() throws {
        let (combiner, store) = combiner(.attention)
        for parameter in store.parameters {
            withoutGradient { parameter.tensor.fill(parameter.tensor.rank == 1 ? 2 : 0) }
        }
        let mean = MeanCombiner()(vectors2)
        let result = combiner(vectors2)
        expectSame(result.vector.scalars(as: Double.self), mean.vector.scalars(as: Double.self), "mean")
        #expect(result.shares?.scalars(as: Double.self) == mean.shares?.scalars(as: Double.self))
    }

    @Test func sharesAreOfWhatIsPresent() throws {
        for combine in [FusionConfiguration.Combination.mean, .gated, .attention] {
            let model = try Fixture.model(Fixture.configuration(at: 1, .full, combine))
            let shares = try #require(try model(Fixture.batch(rows)).shares).scalars(as: Double.self)
            for (row, pattern) in Fixture.patterns.enumerated() {
                let own = Array(shares[row * 3..<row * 3 + 3])
                #expect(abs(own.reduce(0, +) - 1) < 1e-12)
                for (modality, share) in zip(Fixture.modalities, own) {
                    #expect((share > 0) == pattern.contains(modality), "\(combine), row \(row)")
                }
            }
        }
        #expect(try Fixture.model(Fixture.configuration(at: 1, .full, .concat))(Fixture.batch(rows)).shares == nil)
    }

    // MARK: Parameters

    @Test(arguments: kinds, [0, 2]) func everyParameterLearnsAndIsSaved(
        _ kind: (FusionConfiguration.Exchange, FusionConfiguration.Combination, FusionConfiguration.Missing), _ at: Int
    ) throws {
        let model = try Fixture.model(Fixture.configuration(at: at, kind.0, kind.1, kind.2, classes: 4))
        let vectors = try model(Fixture.batch(rows)).vectors
        let logits = try #require(model.logits(vectors))
        let noise = Tensor.normal(vectors.shape, generator: Generator(seed: 31)).to(.float64)
        ((vectors * noise).sum() * model.logitScale.exp() + logits.square().sum()).backward()
        for parameter in model.store.trainable {
            let largest = parameter.tensor.gradient?.abs().max().item() ?? 0
            // Attention does not change when all keys move alike.
            #expect(largest > 1e-9 || parameter.name.hasSuffix("k_proj.bias"), "\(parameter.name) of \(kind) at \(at)")
        }
        try withTemporaryFolder { folder in
            let path = folder + "/model.safetensors"
            try model.store.save(to: path)
            let saved = try CheckpointReader(path: path)
            #expect(Set(saved.tensors.map(\.name)) == Set(model.store.parameters.map(\.name)))
            let again = try FusedModel(
                model.configuration,
                store: ParameterStore(sources: [ParameterSource(saved, layout: .huggingFace)], dtype: nil))
            try again.store.finishLoading()
            #expect(try self.vectors(again, Fixture.batch(rows)) == self.vectors(model, Fixture.batch(rows)))
        }
    }

    // MARK: Bad input

    private func failure(_ batch: Batch, _ configuration: FusedModelConfiguration? = nil) throws -> ConcordError {
        let model = try Fixture.model(configuration ?? Fixture.configuration())
        return try #require(#expect(throws: ConcordError.self) { _ = try model(batch) })
    }

    @Test func whatNoTowerReadsIsAnError() throws {
        let (image, _) = Fixture.values(.image, [0, 1]), (ids, _) = Fixture.values(.text, [0, 1])
        let mels = Fixture.values(.audio, [0, 1]).values
        let nothing = try failure(Batch([.image: ModalityBatch(image, rows: [0, 2])], count: 4))
        #expect(nothing.code == .invalidArgument && nothing.message.contains("row 1"))
        #expect(try failure(Batch(["depth": ModalityBatch(image)])).message.contains("depth"))
        #expect(try failure(Batch([.image: ModalityBatch(ids)])).code == .shapeMismatch)
        #expect(try failure(Batch([.text: ModalityBatch(ids.repeated([1, 2]))])).message.contains("12 tokens"))
        #expect(try failure(Batch([.text: ModalityBatch(ids + 30)])).message.contains("0..<30"))
        #expect(
            try failure(Batch([.text: ModalityBatch(ids, lengths: Tensor([0, 3] as [Int64]))])).message.contains(
                "1...7"))
        #expect(try failure(Batch([.audio: ModalityBatch(mels.repeated([1, 1, 4, 1]))])).message.contains("64 frames"))
        #expect(
            try failure(Batch([.audio: ModalityBatch(mels, lengths: Tensor([22, 3] as [Int64]))])).message.contains(
                "22"))
        #expect(try failure(Batch([.image: ModalityBatch(image, isEmbedded: true)])).message.contains("vectors"))
        let views = try Batch([
            .image: ModalityBatch(image.unsqueezed(1).repeated([1, 3, 1, 1, 1]), hasViews: true),
            .text: ModalityBatch(ids.unsqueezed(1).repeated([1, 2, 1]), hasViews: true),
        ])
        #expect(try failure(views).message.contains("3 views of image"))
        #expect(throws: ConcordError.self) { try Fixture.model(Fixture.configuration(at: 4)) }
    }
}
