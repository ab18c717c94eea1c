import ConcordCore
import ConcordLosses
import ConcordModelTestSupport
import ConcordTensor
import ConcordTestSupport
import Testing

/// The loss of CoCa is one and the same in every plan, with any number of processes and any weights.
@Suite struct CoCaLossTests {
    /// Six samples of unequal captions: of how many tokens of five a caption has labels that count.
    private static let lengths = [5, 1, 3, 0, 2, 4]

    /// Gradients, by input, of the rows of a batch that are a process's own; and the loss and its parts.
    private struct Outcome: Sendable {
        var images, texts, states, head, scale: [Double]
        var values: [Double]
    }

    private static func outcome(
        rows: Range<Int>, weights: (Double, Double), smoothing: Double = 0, plan: ScorePlan
    ) throws -> Outcome {
        func part(_ shape: [Int], _ seed: UInt64, isUnit: Bool = false) -> Tensor {
            let all = Tensor.normal(shape, generator: Generator(seed: seed)).to(.float64)
            let own = (isUnit ? all.normalized() : all).narrowed(axis: 0, from: rows.lowerBound, count: rows.count)
                .contiguous()
            own.requiresGradient = true
            return own
        }
        let images = part([6, 8], 1, isUnit: true), texts = part([6, 8], 2, isUnit: true)
        let states = part([6, 5, 7], 3)
        let head = randomLeaf([11, 7], seed: 4, dtype: .float64)
        let scale = Tensor(2.0, dtype: .float64)
        scale.requiresGradient = true
        let labels = lengths.enumerated().flatMap { row, length in
            (0..<5).map { $0 < length ? 1 + (row * 7 + $0 * 3) % 10 : 0 }
        }
        let captions = Tensor(labels, shape: [6, 5]).narrowed(axis: 0, from: rows.lowerBound, count: rows.count)
        let loss = CoCaLoss(
            contrastive: InfoNCE(logitScale: scale), caption: CaptionLoss(labelSmoothing: smoothing),
            contrastiveWeight: weights.0, captionWeight: weights.1)
        let value = try loss(
            images: images, texts: texts, states: states, head: head, captions: captions, plan: plan)
        value.total.backward()
        func gradient(_ tensor: Tensor) -> [Double] {
            (tensor.gradient ?? .zeros(like: tensor.detached())).scalars(as: Double.self)
        }
        return Outcome(
            images: gradient(images), texts: gradient(texts), states: gradient(states), head: gradient(head),
            scale: gradient(scale), values: [value.total, value.contrastive, value.caption].map { $0.item() })
    }

    private static func expect(_ outcomes: [Outcome], equal reference: Outcome, _ name: String) {
        // Gradients of what belongs to a sample are whole; those of what all share are parts of a sum.
        for key in [\Outcome.images, \.texts, \.states] {
            expectClose(outcomes.flatMap { $0[keyPath: key] }, reference[keyPath: key], absolute: 1e-13, name)
        }
        for key in [\Outcome.head, \.scale] {
            let sum = outcomes.dropFirst().reduce(outcomes[0][keyPath: key]) { sum, outcome in
                zip(sum, outcome[keyPath: key]).map(+)
            }
            expectClose(sum, reference[keyPath: key], absolute: 1e-13, name)
        }
        for outcome in outcomes {
            expectClose(outcome.values, reference.values, absolute: 1e-13, name)
        }
    }

    @Test(arguments: [(1.0, 2.0), (1, 0), (0, 2), (0.25, 3)])
    func everyPlanGivesTheSameLoss(_ weights: (Double, Double)) throws {
        let reference = try Self.outcome(rows: 0..<6, weights: weights, smoothing: 0.1, plan: .dense)
        #expect(
            abs(reference.values[0] - weights.0 * reference.values[1] - weights.1 * reference.values[2]) < 1e-14)
        for rows in [1, 4, 100] {
            let tiled = try Self.outcome(rows: 0..<6, weights: weights, smoothing: 0.1, plan: .tiled(rows: rows))
            Self.expect([tiled], equal: reference, "tiled")
        }
        // A rank with few tokens, one whose only caption has none, one without samples.
        for parts in [[0..<3, 3..<6], [0..<3, 3..<4, 4..<6], [0..<2, 2..<2, 2..<6], [0..<6]] {
            let outcomes = try runRanks(parts.count) { group in
                try Self.outcome(
                    rows: parts[group.rank], weights: weights, smoothing: 0.1, plan: .gathered(group, rows: 2))
            }
            Self.expect(try outcomes.map { try $0.get() }, equal: reference, "\(parts)")
        }
    }

    /// The defaults: 1 for the contrastive half, 2 for the captions.
    @Test func defaultWeights() throws {
        let loss = CoCaLoss(contrastive: try InfoNCE(temperature: 0.1))
        #expect(loss.contrastiveWeight == 1 && loss.captionWeight == 2)
        #expect(loss.caption.ignoredLabel == 0 && loss.caption.labelSmoothing == 0)
    }

    @Test func weightsBelowZeroAreRefused() {
        for weights in [(-1.0, 2.0), (1.0, -2.0), (.nan, 1)] {
            expectError(.invalidArgument, naming: [weights.1 == -2 ? "captionWeight" : "contrastiveWeight"]) {
                _ = try Self.outcome(rows: 0..<6, weights: weights, plan: .dense)
            }
        }
    }

    /// A rank with a label outside the vocabulary says so, and the others do not wait for it.
    @Test func oneBadCaptionFailsOnAllRanks() throws {
        let results = try runRanks(2) { group in
            let labels = Tensor([1, group.rank == 1 ? 99 : 2])
            return try CaptionLoss()(states: .ones([2, 4]), head: .ones([5, 4]), labels: labels, group: group).item()
        }
        let errors = results.map { result in #expect(throws: ConcordError.self) { try result.get() } }
        #expect(errors[0]?.code == .processGroup)
        #expect(errors[0]?.message.contains("rank 1") == true)
        #expect(errors[1]?.code == .invalidArgument)
    }

    /// Where no process has a token that counts, all say so.
    @Test func captionsWithoutTokensFailOnAllRanks() throws {
        let results = try runRanks(2) { group in
            try CaptionLoss()(
                states: .ones([2, 4]), head: .ones([5, 4]), labels: .zeros([2], dtype: .int64), group: group
            ).item()
        }
        for result in results {
            let error = #expect(throws: ConcordError.self) { try result.get() }
            #expect(error?.code == .emptyBatch)
        }
    }
}
