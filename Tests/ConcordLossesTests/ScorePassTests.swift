import ConcordCore
import ConcordLosses
import ConcordModelTestSupport
import ConcordTensor
import ConcordTestSupport
import Testing

/// The passes over all scores in the seam to libtorch equal the formulas of a textbook, for shapes that fill no block, no
/// tile and no vector.
@Suite struct ScorePassTests {
    struct Shape: CustomTestStringConvertible {
        let count, width: Int
        var testDescription: String { "\(count) × \(width)" }
    }

    static let shapes = [(1, 3), (2, 5), (17, 2), (63, 16), (130, 7), (515, 9), (1100, 8)].map(Shape.init)

    /// Random unit vectors, those of pairs nearer than others; or all about one point.
    private static func sides(_ shape: Shape, isCollapsed: Bool = false, dtype: DType = .float64) -> [Tensor] {
        let generator = Generator(seed: 3)
        func normal(_ count: Int) -> Tensor {
            .normal([count, shape.width], generator: generator, dtype: .float64).normalized()
        }
        let first = normal(shape.count), noise = normal(shape.count), point = normal(1)
        return (isCollapsed ? [point + first * 0.01, point + noise * 0.01] : [first, first + noise])
            .map { $0.normalized().to(dtype) }
    }

    private static var plans: [(name: String, plan: ScorePlan)] {
        [("dense", .dense), ("tiled", .tiled()), ("blocks of 7 rows", .tiled(rows: 7))]
    }

    @Test(arguments: shapes, [1.0, 100]) func infoNCE(_ shape: Shape, _ scale: Double) throws {
        for isCollapsed in [false, true] {
            let inputs = Self.sides(shape, isCollapsed: isCollapsed) + [Tensor(scale, dtype: .float64).log()]
            let plain = LossAndGradients(inputs) { plainInfoNCE($0[0], $0[1], logitScale: $0[2]) }
            for (name, plan) in Self.plans {
                try LossAndGradients(inputs) { try InfoNCE(logitScale: $0[2])($0[0], $0[1], plan: plan) }
                    .expectClose(to: plain, relative: 1e-12, "\(name), collapsed: \(isCollapsed)")
            }
        }
    }

    @Test(arguments: shapes, [10.0, 100]) func sigmoidLoss(_ shape: Shape, _ scale: Double) throws {
        let inputs = Self.sides(shape) + [Tensor(scale, dtype: .float64).log(), Tensor(-10, dtype: .float64)]
        let plain = LossAndGradients(inputs) {
            plainSigmoidLoss($0[0], $0[1], logitScale: $0[2], logitBias: $0[3])
        }
        for (name, plan) in Self.plans {
            try LossAndGradients(inputs) {
                try SigmoidLoss(logitScale: $0[2], logitBias: $0[3])($0[0], $0[1], plan: plan)
            }.expectClose(to: plain, relative: 1e-12, name)
        }
    }

    /// Each process has its rows and all columns; one has none.
    @Test(arguments: [ScorePlan.defaultRows, 9]) func gathered(_ rows: Int) throws {
        let counts = [130, 0, 37], starts = [0, 130, 130], shape = Shape(count: 167, width: 6)
        @Sendable func inputs() -> [Tensor] {
            Self.sides(shape) + [Tensor(20, dtype: .float64).log(), Tensor(-3, dtype: .float64)]
        }
        let plain = [
            LossAndGradients(inputs()) { plainInfoNCE($0[0], $0[1], logitScale: $0[2]) + $0[3] * 0 },
            LossAndGradients(inputs()) { plainSigmoidLoss($0[0], $0[1], logitScale: $0[2], logitBias: $0[3]) },
        ]
        let results = try runRanks(3) { group in
            let own: (Tensor) -> Tensor = {
                $0.narrowed(axis: 0, from: starts[group.rank], count: counts[group.rank])
            }
            let plan = ScorePlan.gathered(group, rows: rows)
            return try [
                LossAndGradients(inputs()) { try InfoNCE(logitScale: $0[2])(own($0[0]), own($0[1]), plan: plan) },
                LossAndGradients(inputs()) {
                    try SigmoidLoss(logitScale: $0[2], logitBias: $0[3])(own($0[0]), own($0[1]), plan: plan)
                },
            ].map { [$0.value] + $0.gradients }
        }.map { try $0.get() }
        for (index, plain) in plain.enumerated() {
            for result in results { expectClose(result[index][0], plain.value, absolute: 0, relative: 1e-12, "value") }
            // Of embeddings and parameters each process has its part.
            for (place, expected) in plain.gradients.enumerated() {
                let sum = expected.indices.map { element in
                    results.reduce(0) { $0 + $1[index][place + 1][element] }
                }
                expectClose(
                    sum, expected, absolute: 1e-12 * (expected.map(abs).max() ?? 0), "gradient \(place) of \(index)")
            }
        }
    }

    @Test(arguments: [DType.float32, .float64]) func theNumberOfThreadsChangesNothing(_ dtype: DType) throws {
        let inputs = Self.sides(Shape(count: 1400, width: 64), dtype: dtype) + [Tensor(20, dtype: dtype).log()]
        let before = TorchRuntime.threadCount
        defer { TorchRuntime.threadCount = before }
        let results = try [1, 2, 3].map { threads in
            TorchRuntime.threadCount = threads
            return try [
                LossAndGradients(inputs) { try InfoNCE(logitScale: $0[2])($0[0], $0[1]) },
                LossAndGradients(inputs) {
                    try SigmoidLoss(logitScale: $0[2], logitBias: Tensor(-3))($0[0], $0[1])
                },
            ].map { [$0.value] + $0.gradients }
        }
        #expect(results[0] == results[1])
        #expect(results[0] == results[2])
    }

    /// What runs on devices other than the CPU.
    @Test(arguments: [9, 512]) func blocksOfOperationsEqualOneLoop(_ blockRows: Int) {
        let sides = Self.sides(Shape(count: 300, width: 6))
        func results(_ isOneLoop: Bool) -> [Tensor] {
            let tiles = ScoreTiles(
                rows: sides[0].narrowed(axis: 0, from: 40, count: 150), columns: sides[1], own: 40..<190, scale: 20,
                blockRows: blockRows, isOneLoop: isOneLoop)
            let statistics = tiles.statistics(forGradients: true)
            let byRow = Softmaxes(matched: statistics.matched, others: statistics.rows)
            let byColumn = Softmaxes(matched: Tensor.zeros([300], dtype: .float64), others: statistics.columns)
            let gradients = tiles.gradients(
                byRow, byColumn, matchedSlopes: -byRow.othersShare, factor: 0.01, kept: statistics.kept)
            return [
                statistics.matched, byRow.losses, byRow.maximum, byColumn.losses, byColumn.maximum, gradients.rows,
                gradients.columns,
            ]
        }
        for (place, (found, expected)) in zip(results(true), results(false)).enumerated() {
            expectClose(
                found.scalars(as: Double.self), expected.scalars(as: Double.self),
                absolute: 1e-12 * expected.abs().max().item(), "result \(place)")
        }
    }

    /// Of float32 the triplets are found tile by tile; of float64 in the matrix of all distances.
    @Test(arguments: [EmbeddingDistance.euclidean(), .squaredEuclidean], [PairChoice.hard, .easy])
    func chosenTriplets(_ distance: EmbeddingDistance, _ positive: PairChoice) throws {
        for negative in [PairChoice.hard, .easy] {
            try expectTripletsOfFloat64(distance, positive, negative)
        }
    }

    private func expectTripletsOfFloat64(
        _ distance: EmbeddingDistance, _ positive: PairChoice, _ negative: PairChoice
    ) throws {
        let sides = Self.sides(Shape(count: 150, width: 6), dtype: .float32)
        // The last classes have one sample.
        let labels = Tensor((0..<150).map { $0 < 140 ? $0 % 20 : $0 })
        let loss = try TripletMarginLoss(
            margin: 5, distance: distance, mining: .easyHard(positive: positive, negative: negative))
        for isTwoSided in [true, false] {
            let run: ([Tensor]) throws -> Tensor = {
                try isTwoSided ? loss($0[0], $0[1], labels: labels) : loss($0[0], labels: labels)
            }
            let expected = try LossAndGradients(sides.map { $0.to(.float64) }, run)
            #expect(expected.value[0] > 0)
            try LossAndGradients(sides, run).expectClose(to: expected, relative: 1e-5, "two sides: \(isTwoSided)")
        }
    }

    /// Logits beyond float32 are an error, not a number.
    @Test func overflowIsFound() {
        for side in [Tensor.full([40, 4], 1e25), .full([40, 4], -1e25)] {
            for (_, plan) in Self.plans {
                expectError(.nonFiniteValue, naming: []) {
                    _ = try InfoNCE(temperature: 0.1)(side, Tensor.full([40, 4], 1e25), plan: plan)
                }
                expectError(.nonFiniteValue, naming: []) {
                    _ = try SigmoidLoss(logitScale: Tensor(1), logitBias: Tensor(0))(
                        side, Tensor.full([40, 4], 1e25), plan: plan)
                }
            }
        }
    }

    /// Both sides may be one tensor, whose gradients are those of both.
    @Test func secondDerivativesOfOneTensor() throws {
        let x = randomLeaf([9, 4], seed: 2, dtype: .float64), scale = Tensor(1.3, dtype: .float64)
        scale.requiresGradient = true
        func derivatives(_ loss: Tensor) throws -> [[Double]] {
            let first = Tensor.gradients(of: [loss], withRespectTo: [x, scale], creatingGraph: true)
            let along = try first.map { try #require($0).square().sum() }.reduce(Tensor(0, dtype: .float64), +)
            let second = Tensor.gradients(of: [along], withRespectTo: [x, scale])
            return try (first + second).map { try #require($0).scalars(as: Double.self) }
        }
        let found = try derivatives(InfoNCE(logitScale: scale)(x, x))
        for (found, expected) in try zip(found, derivatives(plainInfoNCE(x, x, logitScale: scale))) {
            expectClose(found, expected, absolute: 1e-12 * (expected.map(abs).max() ?? 0))
        }
    }
}
