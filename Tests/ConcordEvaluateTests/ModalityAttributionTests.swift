import ConcordCheckpoint
import ConcordCore
import ConcordEvaluate
import ConcordModelTestSupport
import ConcordModels
import ConcordTensor
import Testing

/// Shapley values of modalities, and shares by pattern.
@Suite struct ModalityAttributionTests {
    private typealias Fixture = FusionFixture

    @Test func valuesAreTheMeanGainOverAllOrders() {
        let names: [Modality] = ["a", "b", "c", "d"]
        var random = RandomSource(seed: 3)
        let scores = Dictionary(uniqueKeysWithValues: names.nonEmptySubsets.map { ($0, random.uniform(-1, 1)) })
        let result = ModalityAttribution(names.reversed(), baseline: 0.25) { scores[$0] ?? .nan }
        func orders(_ rest: [Modality]) -> [[Modality]] {
            rest.isEmpty ? [[]] : rest.flatMap { one in orders(rest.filter { $0 != one }).map { [one] + $0 } }
        }
        let all = orders(names)
        #expect(all.count == 24)
        for (modality, value) in zip(result.modalities, result.values) {
            let gains = all.map { order in
                let before = order.prefix { $0 != modality }.sorted()
                return (scores[(before + [modality]).sorted()] ?? .nan)
                    - (before.isEmpty ? 0.25 : scores[before] ?? .nan)
            }
            #expect(abs(value - gains.reduce(0, +) / 24) < 1e-12)
        }
        #expect(abs(result.values.reduce(0, +) - (result.score - 0.25)) < 1e-12)
        #expect(result.score == scores[names] && result["e"] == nil)
    }

    @Test func aModelsCosinesAreAttributedRowByRow() throws {
        let model = try Fixture.model(Fixture.configuration(at: 1, .cross, .gated))
        let rows = Array(0..<7), batch = try Fixture.batch(rows)
        let targets = Tensor.normal([7, Fixture.width], generator: Generator(seed: 8)).to(.float64).normalized()
        let results = try model.attributions(batch, targets: targets)
        for (row, result) in results.enumerated() {
            let own = Fixture.patterns[row].sorted()
            #expect(result.modalities == own)
            let target = targets.selected(axis: 0, at: row)
            func cosine(_ subset: [Modality]) throws -> Double {
                let alone = try Fixture.batch([row], patterns: rows.map { _ in subset })
                return try (model(alone).vectors.reshaped([-1]) * target).sum().item()
            }
            let expected = try ModalityAttribution(own, score: cosine)
            for (value, expected) in zip(result.values, expected.values) { #expect(abs(value - expected) < 1e-12) }
            #expect(abs(result.values.reduce(0, +) - result.score) < 1e-12)
        }
        #expect(throws: ConcordError.self) { try model.attributions(batch, targets: targets.transposed(0, 1)) }
    }

    @Test func sharesAreMeansOfRowsThatHaveTheSame() throws {
        let model = try Fixture.model(Fixture.configuration(at: 1, .full, .attention))
        var shares = SharesByPattern()
        let two = Array(repeating: [Modality.image, .text], count: 7)
        try shares.add(Fixture.batch([0, 1, 2], patterns: two), model)
        try shares.add(Fixture.batch([3, 4]), model)
        #expect(shares.all.map(\.present) == [[.image, .text], [.audio]])
        #expect(shares.all.map(\.count) == [4, 1])
        let both = try #require(shares.all.first)
        var sum = 0.0
        for row in [0, 1, 2, 4] {
            let own = try #require(model(Fixture.batch([row], patterns: two)).shares).scalars(as: Double.self)
            sum += own[1] / 4
        }
        #expect(abs((both.shares[.image] ?? .nan) - sum) < 1e-12)
        #expect(abs(both.shares.values.reduce(0, +) - 1) < 1e-12 && both.shares[.audio] == 0)
        let silent = try Fixture.model(Fixture.configuration(at: 1, .full, .concat))
        #expect(throws: ConcordError.self) { try shares.add(Fixture.batch([0]), silent) }
    }
}
