import ConcordCore
import ConcordLosses
import ConcordTensor
import ConcordTestSupport
import Foundation
import Testing

/// Losses over pairs that come with a score.
@Suite struct ScoredPairLossTests {
    typealias ScoredLoss = @Sendable (_ first: Tensor, _ second: Tensor, _ scores: Tensor) throws -> Tensor

    private static let losses: [String: ScoredLoss] = [
        "cosent": { try cosentLoss(first: $0, second: $1, scores: $2) },
        "cosent_steep": { try cosentLoss(first: $0, second: $1, scores: $2, scale: 100) },
        "angle": { try angleLoss(first: $0, second: $1, scores: $2) },
        "cosine_similarity": { try cosineSimilarityLoss(first: $0, second: $1, scores: $2) },
    ]
    private static let names = losses.keys.sorted()
    private static let rankings = ["angle", "cosent", "cosent_steep"]

    @Test(arguments: names, ["even", "odd"])
    func equalsThePeer(name: String, set: String) throws {
        let golden = try PairGolden("pair_losses")
        let loss = try #require(Self.losses[name])
        for dtype in [DType.float64, .float32] {
            let first = try golden.leaf(set + ".first", dtype), second = try golden.leaf(set + ".second", dtype)
            try golden.expect(
                loss(first, second, golden.tensor(set + ".scores")), "\(set).\(name)",
                [(first, "gradient"), (second, "secondGradient")])
        }
    }

    /// Against the definition, with all pairs of pairs.
    @Test func equalsTheDoubleSum() throws {
        let first = randomLeaf([60, 4], seed: 4, dtype: .float64),
            second = randomLeaf([60, 4], seed: 5, dtype: .float64)
        let scores = (0..<60).map { ($0 * 7) % 11 }
        let loss = try cosentLoss(first: first, second: second, scores: Tensor(scores), scale: 5)
        loss.backward()
        let streamed = [first.gradient, second.gradient].compactMap { $0?.scalars(as: Double.self) }

        let (a, b) = (first.detached(), second.detached())
        a.requiresGradient = true
        b.requiresGradient = true
        let similarities = (a.normalized() * b.normalized()).sum(axes: [1]) * 5
        let differences = similarities.unsqueezed(1) - similarities.unsqueezed(0)  // [i, j]
        let order = Tensor(scores)
        let counts = order.unsqueezed(1).less(than: order.unsqueezed(0))
        let dense = (differences.exp() * counts.to(.float64)).sum().log1p()
        dense.backward()
        expectClose([loss.item()], [dense.item()], absolute: 0, relative: 1e-12)
        for (gradient, expected) in zip(streamed, [a, b]) {
            expectClose(
                gradient, try #require(expected.gradient).scalars(as: Double.self), absolute: 1e-13, relative: 1e-10)
        }
    }

    /// All pairs of these pairs would take 40 GB.
    @Test func memoryGrowsWithThePairsAlone() throws {
        let first = randomLeaf([100_000, 2]), second = randomLeaf([100_000, 2], seed: 2)
        let scores = Tensor.normal([100_000], generator: Generator(seed: 3))
        expectFinite(try cosentLoss(first: first, second: second, scores: scores), [first, second])
        expectFinite(try angleLoss(first: first, second: second, scores: scores), [first, second])
    }

    @Test(arguments: rankings)
    func equalScoresAreNotCompared(name: String) throws {
        let loss = try #require(Self.losses[name])
        for count in [1, 4] {
            let first = randomLeaf([count, 5]), second = randomLeaf([count, 5], seed: 2)
            let nothing = try loss(first, second, .full([count], 0.5))
            #expect(nothing.item() == 0)
            nothing.backward()
            #expect(first.gradient?.abs().sum().item() == 0)
            #expect(second.gradient?.abs().sum().item() == 0)
        }
    }

    @Test(arguments: names)
    func hardRowsAreFinite(name: String) throws {
        let loss = try #require(Self.losses[name])
        for dtype in [DType.float32, .float64] {
            let rows = Tensor.normal([6, 5], generator: Generator(seed: 3)).to(dtype)
            let others = rows.cloned()  // cosines of 1
            others.selected(axis: 0, at: 1).copy(from: -rows.selected(axis: 0, at: 1))
            others.selected(axis: 0, at: 2).zero()
            rows.selected(axis: 0, at: 3).zero()
            others.selected(axis: 0, at: 3).zero()
            rows.requiresGradient = true
            others.requiresGradient = true
            expectFinite(try loss(rows, others, Tensor([0, 1, 2, 3, 2, 1])), [rows, others], name)
        }
    }

    @Test(arguments: names, [DType.bfloat16, .float16])
    func halfPrecisionIsComputedInFloat32(name: String, dtype: DType) throws {
        let loss = try #require(Self.losses[name])
        let first = randomLeaf([6, 5], dtype: dtype), second = randomLeaf([6, 5], seed: 2, dtype: dtype)
        let scores = Tensor([0.0, 1, 0.5, 0.25, 0.5, 0])
        let value = try loss(first, second, scores)
        #expect(value.dtype == .float32)
        #expect(try value.item() == loss(first.detached().to(.float32), second.detached().to(.float32), scores).item())
        expectFinite(value, [first, second], name)
    }

    @Test(arguments: names)
    func badInputIsNamed(name: String) throws {
        let loss = try #require(Self.losses[name])
        let first = Tensor.ones([3, 4]), scores = Tensor([0.0, 0.5, 1])
        expectError(.shapeMismatch, naming: ["first", "[3]"]) { _ = try loss(.ones([3]), first, scores) }
        expectError(.shapeMismatch, naming: ["first", "[3, 4]", "second", "[3, 5]"]) {
            _ = try loss(first, .ones([3, 5]), scores)
        }
        expectError(.dtypeMismatch, naming: ["second", "float64"]) { _ = try loss(first, first.to(.float64), scores) }
        expectError(.emptyBatch, naming: ["first", "[0, 4]"]) {
            _ = try loss(.ones([0, 4]), .ones([0, 4]), Tensor([Double]()))
        }
        expectError(.shapeMismatch, naming: ["scores", "[2]", "[3, 4]"]) {
            _ = try loss(first, first, Tensor([0.0, 1]))
        }
        expectError(.dtypeMismatch, naming: ["scores", "bool"]) {
            _ = try loss(first, first, Tensor([true, false, true]))
        }
        expectError(.nonFiniteValue, naming: ["scores", "nan", "[1]"]) {
            _ = try loss(first, first, Tensor([0.0, .nan, 1]))
        }
        expectError(.nonFiniteValue, naming: ["second", "inf", "[0, 0]"]) {
            _ = try loss(first, .full([3, 4], .infinity), scores)
        }
    }

    @Test func badScalesAreNamed() {
        let first = Tensor.ones([3, 4]), scores = Tensor([0.0, 0.5, 1])
        expectError(.invalidArgument, naming: ["scale", "0"]) {
            _ = try cosentLoss(first: first, second: first, scores: scores, scale: 0)
        }
        expectError(.invalidArgument, naming: ["scale", "nan"]) {
            _ = try angleLoss(first: first, second: first, scores: scores, scale: .nan)
        }
    }
}
