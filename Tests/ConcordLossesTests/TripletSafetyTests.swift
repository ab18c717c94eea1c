import ConcordCore
import ConcordLosses
import ConcordTensor
import ConcordTestSupport
import Foundation
import Testing

/// What labelled triplet losses refuse, and inputs at the edge of what they take.
@Suite struct TripletSafetyTests {
    static let minings = TripletBlockTests.minings

    @Test func gradientsAreFiniteAtEqualOppositeAndZeroEmbeddings() throws {
        let same = [1.0, -2, 3]
        let batches: [[Double]] = [
            (0..<5).flatMap { _ in same }, [Double](repeating: 0, count: 15),
            same + same.map { -$0 } + same + [0, 0, 0] + same.map { -$0 },
            (same + same.map { -$0 } + same + [0, 0, 0] + same).map { $0 * 100 },
        ]
        for numbers in batches {
            for dtype in [DType.float32, .float64] {
                for distance in TripletCase.distances.values {
                    for mining in Self.minings {
                        for penalty in [TripletPenalty.hinge, .softplus] {
                            let result = try LossAndGradients([Tensor(numbers, shape: [5, 3]).to(dtype)]) {
                                try tripletLoss(
                                    embeddings: $0[0], labels: Tensor([0, 0, 1, 1, 1]), distance: distance,
                                    penalty: penalty, mining: mining)
                            }
                            #expect(result.isFinite, "\(distance) \(mining) \(penalty) \(dtype)")
                        }
                    }
                }
            }
        }
    }

    /// Repeated rows must tie whatever the block, or the same batch would be hard here and semi-hard there.
    @Test func repeatedRowsTieInFloat32() throws {
        let base = Tensor.normal([40, 48], generator: Generator(seed: 8))
        let embeddings = Tensor.concatenated([base, base, base])
        let labels = Tensor((0..<120).map { $0 < 80 ? $0 % 40 : 40 + $0 % 40 })
        // The farthest positive of an anchor in the first eighty is its copy, at distance 0, as is its nearest negative.
        for size in [1, 7, 120] {
            let loss = try TripletMarginLoss(margin: 0.25, mining: .hard, averaging: .all)
            let mean = TripletBlockTests.mean(
                loss, embeddings, embeddings, labels: (labels, labels), comparesWithItself: true, size: size)
            #expect(mean.item() == 0.25)
        }
        // Every negative of the classes 0 and 1 has a copy among the positives, so hard triplets come with every tie.
        let halves = Tensor((0..<120).map { $0 / 40 == 1 ? 1 : 0 })
        let loss = try TripletMarginLoss(margin: 0.25, mining: .hard, averaging: .all)
        let counts = [1, 7, 120].map { size in
            var count = 0.0
            for first in stride(from: 0, to: 120, by: size) {
                let part = min(size, 120 - first)
                let block = RowBlock(
                    rows: first..<first + part, rowLabels: halves.narrowed(axis: 0, from: first, count: part),
                    columnLabels: halves, comparesWithItself: true)
                let rows = embeddings.narrowed(axis: 0, from: first, count: part)
                count += loss.terms(rows: rows, columns: embeddings, block: block).count.item()
            }
            return count
        }
        #expect(counts[0] == counts[1] && counts[1] == counts[2])
    }

    @Test(arguments: [DType.bfloat16, .float16])
    func halfPrecisionIsComparedInFloat32(dtype: DType) throws {
        let embeddings = Tensor.normal([8, 16], generator: Generator(seed: 6)).to(dtype)
        let labels = Tensor([0, 0, 1, 1, 2, 2, 2, 3])
        for mining in Self.minings {
            let half = try LossAndGradients([embeddings]) {
                let loss = try tripletLoss(embeddings: $0[0], labels: labels, mining: mining)
                #expect(loss.dtype == .float32)
                return loss
            }
            let full = try LossAndGradients([embeddings.to(.float32)]) {
                try tripletLoss(embeddings: $0[0], labels: labels, mining: mining)
            }
            #expect(half.value == full.value)
            half.expectClose(to: full.value, full.gradients, relative: 0.01, "\(mining)")
        }
    }

    @Test(arguments: [DType.bfloat16, .float16]) func autocastDoesNotReachTheDistances(_ dtype: DType) throws {
        let embeddings = Tensor.normal([8, 16], generator: Generator(seed: 6))
        let labels = Tensor([0, 0, 1, 1, 2, 2, 2, 3])
        for distance in TripletCase.distances.values {
            let plain = try tripletLoss(embeddings: embeddings, labels: labels, distance: distance)
            let cast = try autocast(dtype) {
                try tripletLoss(embeddings: embeddings, labels: labels, distance: distance)
            }
            #expect(plain.item() == cast.item())
        }
    }

    @Test func oneSampleHasNoTriplet() throws {
        #expect(try tripletLoss(embeddings: Tensor.ones([1, 3]), labels: Tensor([4])).item() == 0)
        #expect(try tripletLoss(anchors: Tensor.ones([1, 3]), candidates: Tensor.zeros([1, 3])).item() == 0)
    }

    @Test func badInputIsNamed() throws {
        let good = Tensor.ones([3, 2]), labels = Tensor([0, 0, 1])
        func loss(_ embeddings: Tensor, _ labels: Tensor) throws {
            _ = try tripletLoss(embeddings: embeddings, labels: labels)
        }
        expectError(.shapeMismatch, ["embeddings", "[3, 2, 1]"]) { try loss(Tensor.ones([3, 2, 1]), labels) }
        expectError(.dtypeMismatch, ["embeddings", "int64"]) { try loss(Tensor.ones([3, 2], dtype: .int64), labels) }
        expectError(.emptyBatch, ["embeddings", "[0, 2]"]) { try loss(Tensor.ones([0, 2]), Tensor([Int]())) }
        expectError(.nonFiniteValue, ["embeddings", "[2, 1]"]) {
            try loss(Tensor([1.0, 1, 1, 1, 1, .infinity], shape: [3, 2]), labels)
        }
        expectError(.shapeMismatch, ["labels", "[2]", "[3]"]) { try loss(good, Tensor([0, 1])) }
        expectError(.dtypeMismatch, ["labels", "int32"]) { try loss(good, labels.to(.int32)) }

        func cross(_ anchors: Tensor, _ candidates: Tensor, _ first: Tensor? = nil, _ second: Tensor? = nil) throws {
            _ = try tripletLoss(
                anchors: anchors, candidates: candidates, anchorLabels: first, candidateLabels: second)
        }
        expectError(.shapeMismatch, ["anchors", "candidates", "[3, 5]"]) { try cross(good, Tensor.ones([3, 5])) }
        expectError(.shapeMismatch, ["candidates", "[2, 2]"]) { try cross(good, Tensor.ones([2, 2])) }
        expectError(.dtypeMismatch, ["candidates", "float64"]) { try cross(good, good.to(.float64)) }
        expectError(.invalidArgument, ["anchorLabels"]) { try cross(good, good, labels) }
        expectError(.invalidArgument, ["candidateLabels"]) { try cross(good, good, nil, labels) }
        expectError(.shapeMismatch, ["candidateLabels", "[2]"]) { try cross(good, good, labels, Tensor([0, 1])) }

        expectError(.invalidArgument, ["margin", "-0.5"]) { _ = try TripletMarginLoss(margin: -0.5) }
        expectError(.invalidArgument, ["margin", "nan"]) { _ = try TripletMarginLoss(margin: .nan) }
        expectError(.invalidArgument, ["p ", "0.0"]) { _ = try TripletMarginLoss(distance: .euclidean(p: 0)) }
        for (positive, negative) in [(PairChoice.semiHard, PairChoice.semiHard), (.all, .semiHard), (.semiHard, .all)] {
            expectError(.invalidArgument, ["positive is \(positive)", "negative \(negative)"]) {
                _ = try TripletMarginLoss(mining: .easyHard(positive: positive, negative: negative))
            }
        }
    }
}
