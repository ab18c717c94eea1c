import ConcordCore
import ConcordLosses
import ConcordModelTestSupport
import ConcordTensor
import ConcordTestSupport
import Testing

/// Positives given by mask mean the same in every plan, also where samples have none.
@Suite struct PairMaskTests {
    /// The positives of four samples, `[4, 4]` row by row, and what else is known of them.
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let positives: [[Int]]
        var ignored: [[Int]]?
        var labels: [Int]?

        /// The positives that mask and labels come to, and the pairs that take no part.
        func isPositive(_ row: Int, _ column: Int) -> Bool {
            !isIgnored(row, column)
                && (positives[row][column] == 1 || (labels.map { $0[row] == $0[column] } ?? false))
        }
        func isIgnored(_ row: Int, _ column: Int) -> Bool { ignored?[row][column] == 1 }

        func masks(_ rows: Range<Int> = 0..<4) -> PairMasks {
            func mask(_ lists: [[Int]]) -> Tensor {
                Tensor(lists[rows].flatMap { $0.map { $0 == 1 } }, shape: [rows.count, 4])
            }
            return PairMasks(positives: mask(positives), ignored: ignored.map(mask))
        }
        func labels(_ rows: Range<Int> = 0..<4) -> Tensor? { labels.map { Tensor(Array($0[rows])) } }
    }

    static let cases = [
        Case(
            testDescription: "a column without a positive",
            positives: [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0]]),
        Case(
            testDescription: "a row without a positive",
            positives: [[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]),
        Case(
            testDescription: "one positive in all",
            positives: [[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]]),
        Case(
            testDescription: "labels that supply the positives",
            positives: [[0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]], labels: [0, 1, 2, 1]),
        Case(
            testDescription: "positives that are ignored, too",
            positives: [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
            ignored: [[0, 0, 0, 0], [0, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]]),
    ]

    enum Kind: String, CaseIterable { case infoNCE, oneDirection, smoothed, sigmoid, triplets, bothTriplets }

    private static func sides() -> (first: Tensor, second: Tensor, scale: Tensor) {
        let generator = Generator(seed: 21)
        func leaf(_ tensor: Tensor) -> Tensor {
            let tensor = tensor.detached()
            tensor.requiresGradient = true
            return tensor
        }
        func side() -> Tensor { leaf(.normal([4, 3], generator: generator).to(.float64).normalized()) }
        return (side(), side(), leaf(Tensor(1.3, dtype: .float64)))
    }

    /// The loss as its definition says, pair by pair.
    private static func definition(_ kind: Kind, _ test: Case, _ first: Tensor, _ second: Tensor, _ scale: Tensor)
        -> Tensor
    {
        // Triplets normalise, which leaves unit vectors as they are, but not their gradients.
        let isNormalized = kind == .triplets || kind == .bothTriplets
        let rows = isNormalized ? first.normalized() : first, columns = isNormalized ? second.normalized() : second
        let cosines = rows.matmul(columns.transposed(0, 1))
        func score(_ row: Int, _ column: Int) -> Tensor {
            cosines.selected(axis: 0, at: row).selected(axis: 0, at: column)
        }
        /// The mean over the anchors of one direction that have a positive.
        func crossEntropy(_ place: (Int, Int) -> (Int, Int)) -> Tensor {
            var terms: [Tensor] = []
            for anchor in 0..<4 {
                let all = (0..<4).map { place(anchor, $0) }.filter { !test.isIgnored($0.0, $0.1) }
                let positives = all.filter { test.isPositive($0.0, $0.1) }
                guard !positives.isEmpty else { continue }
                let logits = Tensor.stacked(all.map { score($0.0, $0.1) }) * scale.exp()
                let matched = Tensor.stacked(positives.map { score($0.0, $0.1) }).mean() * scale.exp()
                let smoothing = kind == .smoothed ? 0.1 : 0
                terms.append(logits.logSumExp(axes: [0]) - matched * (1 - smoothing) - logits.mean() * smoothing)
            }
            return Tensor.stacked(terms).mean()
        }
        /// The mean over the triplets of one direction with a loss, cosine distance and margin 0.9.
        func triplets(_ place: (Int, Int) -> (Int, Int)) -> Tensor {
            var terms: [Tensor] = []
            for anchor in 0..<4 {
                let all = (0..<4).map { place(anchor, $0) }.filter { !test.isIgnored($0.0, $0.1) }
                for positive in all where test.isPositive(positive.0, positive.1) {
                    for negative in all where !test.isPositive(negative.0, negative.1) {
                        let violation = score(negative.0, negative.1) - score(positive.0, positive.1) + 0.9
                        if violation.item() > 0 { terms.append(violation) }
                    }
                }
            }
            return terms.isEmpty ? cosines.sum() * 0 : Tensor.stacked(terms).mean()
        }
        let byRow: (Int, Int) -> (Int, Int) = { ($0, $1) }, byColumn: (Int, Int) -> (Int, Int) = { ($1, $0) }
        switch kind {
        case .infoNCE, .smoothed: return (crossEntropy(byRow) + crossEntropy(byColumn)) / 2
        case .oneDirection: return crossEntropy(byRow)
        case .triplets: return triplets(byRow)
        case .bothTriplets: return (triplets(byRow) + triplets(byColumn)) / 2
        case .sigmoid:
            var sum = cosines.sum() * 0
            for row in 0..<4 {
                for column in 0..<4 where !test.isIgnored(row, column) {
                    let logit = score(row, column) * scale.exp() - 0.7
                    sum = sum - (test.isPositive(row, column) ? logit : -logit).logSigmoid()
                }
            }
            return sum / 4
        }
    }

    private static func make(_ kind: Kind, _ scale: Tensor) throws -> any ContrastiveLoss {
        switch kind {
        case .infoNCE, .oneDirection, .smoothed:
            var loss = InfoNCE(logitScale: scale)
            loss.isSymmetric = kind != .oneDirection
            loss.labelSmoothing = kind == .smoothed ? 0.1 : 0
            return loss
        case .sigmoid: return SigmoidLoss(logitScale: scale, logitBias: Tensor(-0.7, dtype: .float64))
        case .triplets, .bothTriplets:
            var loss = try TripletMarginLoss(margin: 0.9, distance: .cosine)
            loss.isSymmetric = kind == .bothTriplets
            return loss
        }
    }

    /// The loss, the gradients of both sides and that of the scale.
    private static func numbers(_ loss: Tensor, _ inputs: [Tensor]) -> [Double] {
        let gradients = Tensor.gradients(of: [loss], withRespectTo: inputs)
        return [loss.item()] + zip(gradients, inputs).flatMap { ($0 ?? .zeros(like: $1)).scalars(as: Double.self) }
    }

    /// The numbers of one process under a plan.
    private static func run(_ kind: Kind, _ test: Case, _ plan: ExecutionPlan) throws -> [Double] {
        let inputs = sides()
        let first = plan.embed([inputs.first]) { $0[0] * 1 }
        let second = plan.embed([inputs.second]) { $0[0] * 1 }
        let objective = try make(kind, inputs.scale)
        let loss = try objective(
            first, second, labels: test.labels(), masks: test.masks(), plan: plan.scores)
        return numbers(loss, [inputs.first, inputs.second, inputs.scale])
    }

    /// The numbers of a process that has some of the samples. Gradients of embeddings are whole, that of the scale a part.
    private static func run(_ kind: Kind, _ test: Case, _ own: Range<Int>, _ group: ProcessGroup) throws -> [Double] {
        let inputs = sides()
        func rows(_ tensor: Tensor) -> Tensor { tensor.narrowed(axis: 0, from: own.lowerBound, count: own.count) }
        let objective = try make(kind, inputs.scale)
        let loss = try objective(
            rows(inputs.first), rows(inputs.second), labels: test.labels(own), masks: test.masks(own),
            plan: .gathered(group, rows: 2))
        return numbers(loss, [inputs.first, inputs.second, inputs.scale])
    }

    @Test(arguments: Kind.allCases, cases) func allPlansFollowTheDefinition(_ kind: Kind, _ test: Case) throws {
        let inputs = Self.sides()
        let definition = Self.definition(kind, test, inputs.first, inputs.second, inputs.scale)
        let expected = Self.numbers(definition, [inputs.first, inputs.second, inputs.scale])
        let plans: [(name: String, plan: ExecutionPlan)] = [
            ("dense", .dense), ("tiled", .tiled(rows: 3)), ("tiled by row", .tiled(rows: 1)),
            ("cached", .cached(chunk: 3, scores: .dense)),
            ("cached, tiled", .cached(chunk: 3, scores: .tiled(rows: 2))),
        ]
        for (name, plan) in plans {
            let found = try Self.run(kind, test, plan)
            expectClose(found, expected, absolute: 1e-12, "\(kind), \(test.testDescription), \(name)")
        }
        for ranks in [1, 2] {
            // Of two ranks the first has three samples, the second the fourth.
            let results = try runRanks(ranks) { group in
                try Self.run(kind, test, ranks == 1 ? 0..<4 : group.rank == 0 ? 0..<3 : 3..<4, group)
            }
            var sums = [Double](repeating: 0, count: expected.count)
            for result in results {
                let values = try result.get()
                #expect(abs(values[0] - expected[0]) < 1e-12)
                for (index, value) in values.enumerated() { sums[index] += value }
            }
            expectClose(
                Array(sums.dropFirst()), Array(expected.dropFirst()), absolute: 1e-12,
                "\(kind), \(test.testDescription), gathered by \(ranks)")
        }
    }

    /// With masks on one rank alone the others would wait for what never comes.
    @Test func masksAndLabelsOfSomeRanksAreRefusedByAll() throws {
        for isMask in [true, false] {
            let results = try runRanks(2) { group in
                let vectors = Tensor.normal([2, 3], generator: Generator(seed: 4))
                let isGiven = group.rank == 1
                var masks = PairMasks()
                if isMask, isGiven { masks.positives = .zeros([2, 4], dtype: .bool) }
                return try InfoNCE(temperature: 0.1)(
                    vectors, vectors, labels: !isMask && isGiven ? Tensor([0, 1]) : nil, masks: masks,
                    plan: .gathered(group)
                ).item()
            }
            for result in results {
                let error = #expect(throws: ConcordError.self) { try result.get() }
                #expect(error?.code == .processGroup)
                #expect(
                    error?.message.contains(isMask ? "masks.positives is given by 1 of 2" : "labels is given by 1 of 2")
                        == true)
            }
        }
    }

    /// Settings that one rank refuses are refused by all.
    @Test func settingsOfOneRankAreRefusedByAll() throws {
        let results = try runRanks(2) { group in
            let vectors = Tensor.normal([2, 3], generator: Generator(seed: 4))
            return try InfoNCE(logitScale: Tensor(group.rank == 0 ? .nan : 1))(vectors, vectors, plan: .gathered(group))
                .item()
        }
        let errors = results.map { result in #expect(throws: ConcordError.self) { try result.get() } }
        #expect(errors[0]?.code == .nonFiniteValue && errors[1]?.code == .processGroup)
        let views = try runRanks(2) { group in
            let vectors = Tensor.normal([2, 3], generator: Generator(seed: 4))
            return try ntXentLoss(vectors, group.rank == 0 ? vectors.to(.float64) : vectors, plan: .gathered(group))
                .item()
        }
        let codes = views.map { result in #expect(throws: ConcordError.self) { try result.get() }?.code }
        #expect(codes == [.dtypeMismatch, .processGroup])
    }

    @Test func masksWithoutAnyPositiveAreRefused() throws {
        let vectors = Tensor.normal([4, 3], generator: Generator(seed: 1))
        let none = PairMasks(positives: .zeros([4, 4], dtype: .bool))
        let covered = PairMasks(positives: .identity(4, dtype: .bool), ignored: .identity(4, dtype: .bool))
        for plan in [ScorePlan.dense, .tiled(rows: 3)] {
            for masks in [none, covered] {
                expectError(.missingPositive, naming: ["masks", "without a positive"]) {
                    _ = try InfoNCE(temperature: 0.1)(vectors, vectors, labels: nil, masks: masks, plan: plan)
                }
                let triplets = try TripletMarginLoss()(vectors, vectors, labels: nil, masks: masks, plan: plan)
                #expect(triplets.item() == 0)
                let sigmoid = SigmoidLoss(logitScale: Tensor(1), logitBias: Tensor(-1))
                #expect(try sigmoid(vectors, vectors, labels: nil, masks: masks, plan: plan).item() > 0)
            }
        }
    }
}
