import ConcordCore
import ConcordLosses
import ConcordTensor
import ConcordTestSupport
import Foundation
import Testing

/// Losses of given triplets against torch's `triplet_margin_loss` and `triplet_margin_with_distance_loss`; among the
/// triplets are ones whose members are equal.
@Suite struct TripletLossTests {
    static let distances: [String: EmbeddingDistance] = [
        "euclidean1": .euclidean(p: 1), "euclidean2": .euclidean(), "euclidean3": .euclidean(p: 3),
        "squared": .squaredEuclidean, "cosine": .cosine,
    ]
    static let reductions: [String: Reduction] = ["none": .none, "mean": .mean, "sum": .sum]

    @Test(arguments: distances.keys.sorted(), [true, false])
    func equalsTorch(distance: String, swap: Bool) throws {
        let golden = try Golden.tensors("losses", "triplets.safetensors")
        let inputs = try ["anchor", "positive", "negative"].map { try #require(golden["given.\($0)"]).tensor }
        for (name, reduction) in Self.reductions {
            let key = "given.\(distance).\(swap ? "swap" : "plain").\(name)"
            let gradients = try (0..<3).map { try #require(golden["\(key).gradient\($0)"]).values }
            try LossAndGradients(inputs) {
                try tripletLoss(
                    anchor: $0[0], positive: $0[1], negative: $0[2], margin: 0.8,
                    distance: #require(Self.distances[distance]), swap: swap, reduction: reduction)
            }.expectClose(to: try #require(golden["\(key).value"]).values, gradients, key)
        }
    }

    @Test func softplusHasTheMarginInsideAndNeverOverflows() throws {
        let (anchor, positive, negative) = (
            Tensor([0.0, 0, 0, 0], shape: [2, 2]), Tensor([3.0, 4, 900, 0], shape: [2, 2]),
            Tensor([0.0, 2, 0, 1], shape: [2, 2])
        )
        let losses = try tripletLoss(
            anchor: anchor, positive: positive, negative: negative, margin: 0.5, penalty: .softplus, reduction: .none)
        expectClose(losses.scalars(as: Double.self), [log1p(exp(3.5)), 899.5], absolute: 0, relative: 1e-6)
    }

    @Test func float32IsCloseToFloat64() throws {
        let inputs = (0..<3).map { Tensor.normal([7, 5], generator: Generator(seed: UInt64($0)), dtype: .float32) }
        for (name, distance) in Self.distances {
            for penalty in [TripletPenalty.hinge, .softplus] {
                let run: ([Tensor]) throws -> Tensor = {
                    try tripletLoss(
                        anchor: $0[0], positive: $0[1], negative: $0[2], distance: distance, swap: true,
                        penalty: penalty)
                }
                let precise = try LossAndGradients(inputs.map { $0.to(.float64) }, run)
                try LossAndGradients(inputs, run).expectClose(to: precise, relative: 1e-5, name)
            }
        }
    }

    @Test(arguments: [DType.bfloat16, .float16])
    func halfPrecisionIsComparedInFloat32(dtype: DType) throws {
        let inputs = (0..<3).map { Tensor.normal([4, 8], generator: Generator(seed: UInt64($0))).to(dtype) }
        let half = try tripletLoss(anchor: inputs[0], positive: inputs[1], negative: inputs[2])
        let full = try tripletLoss(
            anchor: inputs[0].to(.float32), positive: inputs[1].to(.float32), negative: inputs[2].to(.float32))
        #expect(half.dtype == .float32)
        #expect(half.item() == full.item())
    }

    @Test func gradientsAreFiniteWhereMembersAreEqualOrZero() throws {
        for distance in Self.distances.values {
            for dtype in [DType.float32, .float64] {
                for row in [[0.0, 0, 0], [1, -2, 3]] {
                    let same = Tensor(row + row, shape: [2, 3]).to(dtype)
                    for penalty in [TripletPenalty.hinge, .softplus] {
                        let result = try LossAndGradients([same, same, same]) {
                            try tripletLoss(
                                anchor: $0[0], positive: $0[1], negative: $0[2], distance: distance, swap: true,
                                penalty: penalty)
                        }
                        #expect(result.isFinite, "\(distance) \(dtype)")
                    }
                }
            }
        }
    }

    @Test func badInputIsNamed() throws {
        let good = Tensor.ones([3, 2])
        func loss(
            _ anchor: Tensor, _ positive: Tensor, _ negative: Tensor, margin: Double = 1,
            distance: EmbeddingDistance = .euclidean()
        ) throws {
            _ = try tripletLoss(
                anchor: anchor, positive: positive, negative: negative, margin: margin, distance: distance)
        }
        expectError(.shapeMismatch, ["anchor", "[3]"]) { try loss(Tensor.ones([3]), good, good) }
        expectError(.shapeMismatch, ["positive", "[2, 2]"]) { try loss(good, Tensor.ones([2, 2]), good) }
        expectError(.shapeMismatch, ["negative", "[3, 4]"]) { try loss(good, good, Tensor.ones([3, 4])) }
        expectError(.dtypeMismatch, ["negative", "int64"]) { try loss(good, good, Tensor.ones([3, 2], dtype: .int64)) }
        expectError(.dtypeMismatch, ["positive", "float64"]) { try loss(good, good.to(.float64), good) }
        expectError(.emptyBatch, ["anchor", "[0, 2]"]) {
            try loss(Tensor.ones([0, 2]), Tensor.ones([0, 2]), Tensor.ones([0, 2]))
        }
        expectError(.nonFiniteValue, ["negative", "[1, 0]"]) {
            try loss(good, good, Tensor([1.0, 1, .nan, 1, 1, 1], shape: [3, 2]).to(.float32))
        }
        expectError(.invalidArgument, ["margin", "-1"]) { try loss(good, good, good, margin: -1) }
        expectError(.invalidArgument, ["p ", "0.5"]) { try loss(good, good, good, distance: .euclidean(p: 0.5)) }
    }
}
