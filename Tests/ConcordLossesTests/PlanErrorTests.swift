import ConcordCore
import ConcordLosses
import ConcordTensor
import Testing

/// Each wrong input is its own error, and the message names argument, shape and index; the same under every plan.
@Suite struct PlanErrorTests {
    private static var loss: InfoNCE { get throws { try InfoNCE(temperature: 0.1) } }

    private static func vectors(_ shape: [Int], _ dtype: DType = .float32) -> Tensor {
        .normal(shape, generator: Generator(seed: 1)).to(dtype)
    }

    private func expect(
        _ code: ConcordError.Code, _ words: [String], sourceLocation: SourceLocation = #_sourceLocation,
        _ body: (ScorePlan) throws -> Tensor
    ) {
        for plan in [ScorePlan.dense, .tiled(rows: 2)] {
            let error = #expect(throws: ConcordError.self, sourceLocation: sourceLocation) { _ = try body(plan) }
            #expect(error?.code == code, sourceLocation: sourceLocation)
            for word in words {
                #expect(
                    error?.message.contains(word) == true, "\(word) in: \(error?.message ?? "")",
                    sourceLocation: sourceLocation)
            }
        }
    }

    @Test func shapes() {
        expect(.shapeMismatch, ["first", "[4]", "[count, width]"]) {
            try Self.loss(Self.vectors([4]), Self.vectors([4, 3]), plan: $0)
        }
        expect(.shapeMismatch, ["first", "[4, 3]", "second", "[4, 2]"]) {
            try Self.loss(Self.vectors([4, 3]), Self.vectors([4, 2]), plan: $0)
        }
        expect(.shapeMismatch, ["first", "[4, 3]", "second", "[5, 3]"]) {
            try Self.loss(Self.vectors([4, 3]), Self.vectors([5, 3]), plan: $0)
        }
        expect(.shapeMismatch, ["labels", "[3]", "[4]"]) {
            try Self.loss(Self.vectors([4, 3]), Self.vectors([4, 3]), labels: Tensor([0, 1, 2]), plan: $0)
        }
        expect(.shapeMismatch, ["masks.ignored", "[4, 3]", "[4, 4]"]) {
            try Self.loss(
                Self.vectors([4, 3]), Self.vectors([4, 3]), labels: nil,
                masks: PairMasks(ignored: .zeros([4, 3], dtype: .bool)), plan: $0)
        }
        expect(.shapeMismatch, ["logitScale", "[1]"]) {
            try InfoNCE(logitScale: Tensor([Float(0)]))(Self.vectors([4, 3]), Self.vectors([4, 3]), plan: $0)
        }
        expect(.shapeMismatch, ["negatives", "[3, 2, 5]", "[4, count, 5]"]) { _ in
            try infoNCELoss(
                anchor: Self.vectors([4, 5]), positive: Self.vectors([4, 5]), negatives: Self.vectors([3, 2, 5]))
        }
        expect(.shapeMismatch, ["anchor", "[4, 5]", "negatives", "[7, 6]"]) { _ in
            try infoNCELoss(
                anchor: Self.vectors([4, 5]), positive: Self.vectors([4, 5]), negatives: Self.vectors([7, 6]))
        }
    }

    @Test func types() {
        expect(.dtypeMismatch, ["first", "int64", "floating"]) {
            try Self.loss(Tensor([1, 2], shape: [1, 2]), Tensor([1, 2], shape: [1, 2]), plan: $0)
        }
        expect(.dtypeMismatch, ["first", "float32", "second", "float64"]) {
            try Self.loss(Self.vectors([4, 3]), Self.vectors([4, 3], .float64), plan: $0)
        }
        expect(.dtypeMismatch, ["labels", "float32", "int64"]) {
            try Self.loss(Self.vectors([2, 3]), Self.vectors([2, 3]), labels: Tensor([Float(0), 1]), plan: $0)
        }
        expect(.dtypeMismatch, ["masks.positives", "float32", "bool"]) {
            try Self.loss(
                Self.vectors([2, 3]), Self.vectors([2, 3]), labels: nil, masks: PairMasks(positives: .ones([2, 2])),
                plan: $0)
        }
    }

    @Test func emptyBatches() {
        expect(.emptyBatch, ["first", "[0, 3]"]) {
            try Self.loss(Self.vectors([0, 3]), Self.vectors([0, 3]), plan: $0)
        }
        expect(.emptyBatch, ["anchor", "[0, 3]"]) { _ in
            try infoNCELoss(anchor: Self.vectors([0, 3]), positive: Self.vectors([0, 3]))
        }
    }

    @Test func notANumber() {
        let wrong = Self.vectors([4, 3])
        wrong.narrowed(axis: 0, from: 2, count: 1).narrowed(axis: 1, from: 1, count: 1).fill(.nan)
        expect(.nonFiniteValue, ["second", "[4, 3]", "[2, 1]", "nan"]) {
            try Self.loss(Self.vectors([4, 3]), wrong, plan: $0)
        }
        let infinite = Self.vectors([4, 3])
        infinite.narrowed(axis: 0, from: 3, count: 1).fill(.infinity)
        expect(.nonFiniteValue, ["first", "[3, 0]", "inf", "3 of its elements"]) {
            try Self.loss(infinite, Self.vectors([4, 3]), plan: $0)
        }
        expect(.nonFiniteValue, ["logitScale", "nan"]) {
            try InfoNCE(logitScale: Tensor(.nan))(Self.vectors([4, 3]), Self.vectors([4, 3]), plan: $0)
        }
    }

    /// Of masks see PairMaskTests.
    @Test func anchorsWithoutPositives() {
        expect(.missingPositive, ["labels", "[3]", "without a positive"]) {
            try supConLoss(Self.vectors([3, 4]), labels: Tensor([0, 1, 2]), plan: $0)
        }
        expect(.missingPositive, ["without a negative"]) {
            var loss = try Self.loss
            loss.isDecoupled = true
            return try loss(Self.vectors([1, 4]), Self.vectors([1, 4]), plan: $0)
        }
    }

    @Test func settings() {
        let four = Self.vectors([4, 3])
        expect(.invalidArgument, ["temperature", "-1"]) { try ntXentLoss(four, four, temperature: -1, plan: $0) }
        expect(.invalidArgument, ["labelSmoothing", "1.5"]) {
            var loss = try Self.loss
            loss.labelSmoothing = 1.5
            return try loss(four, four, plan: $0)
        }
        expect(.invalidArgument, ["hardness", "-2"]) {
            var loss = try Self.loss
            loss.hardness = -2
            return try loss(four, four, plan: $0)
        }
        expect(.invalidArgument, ["hardness", "inf", "finite"]) {
            var loss = try Self.loss
            loss.hardness = .infinity
            return try loss(four, four, plan: $0)
        }
    }

    /// One over the least would be infinite in float32.
    @Test(arguments: [0, -0.1, .nan, .infinity, .leastNonzeroMagnitude]) func temperatures(_ temperature: Double) {
        let four = Self.vectors([4, 3]), words = ["temperature", "\(temperature)"]
        expect(.invalidArgument, words) { _ in try InfoNCE(temperature: temperature)(four, four) }
        expect(.invalidArgument, words) { try ntXentLoss(four, four, temperature: temperature, plan: $0) }
        expect(.invalidArgument, words) { try decoupledContrastiveLoss(four, four, temperature: temperature, plan: $0) }
        expect(.invalidArgument, words) {
            try supConLoss(four, labels: Tensor([0, 0, 1, 1]), temperature: temperature, plan: $0)
        }
        expect(.invalidArgument, words) { _ in
            try infoNCELoss(anchor: four, positive: four, temperature: temperature)
        }
        expect(.invalidArgument, ["studentTemperature", "\(temperature)"]) { _ in
            try similarityDistillationLoss(
                studentFirst: four, studentSecond: four, teacherFirst: four, teacherSecond: four,
                studentTemperature: temperature)
        }
    }

    @Test(arguments: [0, -3]) func blocksWithoutRows(_ rows: Int) throws {
        let four = Self.vectors([4, 3]), labels = Tensor([0, 0, 1, 1])
        let group = try ProcessGroup(host: "127.0.0.1", port: ProcessMembership.freePort(), rank: 0, worldSize: 1)
        for plan in [ScorePlan.tiled(rows: rows), .gathered(group, rows: rows)] {
            let words = ["\(rows) rows", "at least 1"]
            expectError(.invalidArgument, naming: words) { _ = try Self.loss(four, four, plan: plan) }
            expectError(.invalidArgument, naming: words) { _ = try Self.loss(four, four, labels: labels, plan: plan) }
            expectError(.invalidArgument, naming: words) { _ = try supConLoss(four, labels: labels, plan: plan) }
            expectError(.invalidArgument, naming: words) {
                _ = try SigmoidLoss(logitScale: Tensor(1), logitBias: Tensor(0))(four, four, plan: plan)
            }
            expectError(.invalidArgument, naming: words) { _ = try TripletMarginLoss()(four, four, plan: plan) }
        }
    }

    /// A factor that float32 does not hold is an error, and no NaN.
    @Test func overflowingScales() {
        let four = Self.vectors([4, 3])
        for scale in [100.0, 1000.0] {
            let words = ["logitScale", "\(scale)", "ln 100"]
            expect(.nonFiniteValue, words) { try InfoNCE(logitScale: Tensor(scale))(four, four, plan: $0) }
            expect(.nonFiniteValue, words) {
                try InfoNCE(logitScale: Tensor(scale))(four, four, labels: Tensor([0, 0, 1, 1]), plan: $0)
            }
            expect(.nonFiniteValue, words) {
                try SigmoidLoss(logitScale: Tensor(scale), logitBias: Tensor(0))(four, four, plan: $0)
            }
            expect(.nonFiniteValue, words) { _ in
                try infoNCELoss(anchor: four, positive: four, logitScale: Tensor(scale))
            }
        }
        expect(.nonFiniteValue, ["logitBias", "inf"]) {
            try SigmoidLoss(logitScale: Tensor(1), logitBias: Tensor(.infinity))(four, four, plan: $0)
        }
    }

    /// Finite inputs whose products are beyond float32.
    @Test func overflowingProducts() throws {
        let huge = Self.vectors([4, 3]) * 1e25, labels = Tensor([0, 0, 1, 1]), words = ["finite", "float32"]
        expect(.nonFiniteValue, words) { try Self.loss(huge, huge, plan: $0) }
        expect(.nonFiniteValue, words) { try Self.loss(huge, huge, labels: labels, plan: $0) }
        expect(.nonFiniteValue, words) {
            try SigmoidLoss(logitScale: Tensor(1), logitBias: Tensor(0))(huge, huge, plan: $0)
        }
        expect(.nonFiniteValue, words) { try TripletMarginLoss(distance: .squaredEuclidean)(huge, huge, plan: $0) }
        expect(.nonFiniteValue, words) { _ in
            try tripletLoss(embeddings: huge, labels: labels, distance: .squaredEuclidean)
        }
        expect(.nonFiniteValue, words) { _ in
            try tripletLoss(anchor: huge, positive: huge * 2, negative: huge * 3, distance: .squaredEuclidean)
        }
        expect(.nonFiniteValue, words) { _ in try nPairsLoss(embeddings: huge, labels: labels, normalizing: false) }
        expect(.nonFiniteValue, words) { _ in try vicRegLoss(first: huge, second: -huge).total }
        expect(.nonFiniteValue, words) { _ in
            try embeddingDistillationLoss(student: huge, teacher: -huge, distance: .squaredError)
        }
        expect(.nonFiniteValue, words) { _ in
            try CaptionLoss(ignoredLabel: -1)(states: huge, head: huge, labels: labels)
        }
        expect(.nonFiniteValue, words) { _ in
            try MarginHead(weight: Self.vectors([2, 3]), margin: .arcFace(), scale: 1e39)(huge, labels: labels)
        }
        expect(.nonFiniteValue, words) { _ in
            try multiSimilarityLoss(embeddings: Self.vectors([4, 3]), labels: labels, beta: 1e39, base: -1)
        }
        expect(.nonFiniteValue, words) { _ in
            try circleLoss(embeddings: Self.vectors([4, 3]), labels: labels, scale: 1e39)
        }
    }
}
