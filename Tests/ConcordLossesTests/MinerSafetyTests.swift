import ConcordCore
import ConcordLosses
import ConcordTensor
import ConcordTestSupport
import Testing

/// What miners refuse, and batches in which there is little or nothing to find.
@Suite struct MinerSafetyTests {
    static func miners() throws -> [any Miner] {
        [
            try TripletMiner(), try BatchHardMiner(), try BatchEasyHardMiner(), try MultiSimilarityMiner(),
            try AngularMiner(), try DistanceWeightedMiner(generator: Generator(seed: 1)),
        ]
    }

    static func count(_ indices: any MinedIndices) -> Int {
        switch indices {
        case let triplets as TripletIndices: triplets.count
        case let pairs as PairIndices: pairs.positives.size(0) + pairs.negatives.size(0)
        default: -1
        }
    }

    @Test func badInputIsNamed() throws {
        let good = Tensor.ones([3, 2]), labels = Tensor([0, 0, 1])
        for miner in try Self.miners() {
            expectError(.shapeMismatch, ["embeddings", "[3]"]) {
                _ = try miner(embeddings: Tensor.ones([3]), labels: labels)
            }
            expectError(.emptyBatch, ["embeddings", "[0, 2]"]) {
                _ = try miner(embeddings: Tensor.ones([0, 2]), labels: Tensor([Int]()))
            }
            expectError(.nonFiniteValue, ["embeddings", "[0, 1]"]) {
                _ = try miner(embeddings: Tensor([1, .nan, 1, 1, 1, 1], shape: [3, 2]), labels: labels)
            }
            expectError(.shapeMismatch, ["labels", "[2]"]) { _ = try miner(embeddings: good, labels: Tensor([0, 1])) }
            expectError(.dtypeMismatch, ["labels", "float32"]) {
                _ = try miner(embeddings: good, labels: labels.to(.float32))
            }
            expectError(.shapeMismatch, ["candidates", "[3, 4]"]) {
                _ = try miner(
                    anchors: good, anchorLabels: labels, candidates: Tensor.ones([3, 4]), candidateLabels: labels)
            }
            expectError(.shapeMismatch, ["candidateLabels", "[2]"]) {
                _ = try miner(
                    anchors: good, anchorLabels: labels, candidates: good, candidateLabels: Tensor([0, 1]))
            }
        }
        expectError(.invalidArgument, ["margin", "-1"]) { _ = try TripletMiner(margin: -1) }
        expectError(.invalidArgument, ["p ", "0.0"]) { _ = try BatchHardMiner(distance: .euclidean(p: 0)) }
        expectError(.invalidArgument, ["epsilon", "-1"]) { _ = try MultiSimilarityMiner(epsilon: -1) }
        expectError(.invalidArgument, ["angle", "nan"]) { _ = try AngularMiner(angle: .nan) }
        expectError(.invalidArgument, ["positive is all", "semiHard"]) {
            _ = try BatchEasyHardMiner(positive: .all, negative: .semiHard)
        }
        expectError(.invalidArgument, ["cutoff", "0.0"]) {
            _ = try DistanceWeightedMiner(cutoff: 0, generator: Generator(seed: 1))
        }
        expectError(.invalidArgument, ["cutoff", "1.4", "2.0"]) {
            _ = try DistanceWeightedMiner(cutoff: 2, generator: Generator(seed: 1))
        }
    }

    @Test func nothingIsFoundWhereThereIsNothing() throws {
        for miner in try Self.miners() {
            // One sample, and one class alone. Pairs that are asked for whatever they are would still be found.
            for labels in [[5], [5, 5, 5]] {
                let embeddings = Tensor.normal([labels.count, 4], generator: Generator(seed: 2))
                #expect(Self.count(try miner(embeddings: embeddings, labels: Tensor(labels))) == 0)
            }
        }
    }

    @Test func equalAndZeroEmbeddingsAreMined() throws {
        let labels = Tensor([0, 0, 1, 1])
        for miner in try Self.miners() {
            _ = try miner(embeddings: Tensor.ones([4, 3]), labels: labels)
            _ = try miner(embeddings: Tensor.zeros([4, 3]), labels: labels)
        }
        // All gaps are 0, which is hard: each anchor has one positive and two negatives.
        let triplets = try TripletMiner(difficulty: .hard)(embeddings: Tensor.ones([4, 3]), labels: labels)
        #expect(triplets.count == 8)
    }

    @Test(arguments: [DType.bfloat16, .float16])
    func halfPrecisionIsComparedInFloat32(dtype: DType) throws {
        let embeddings = Tensor.normal([9, 6], generator: Generator(seed: 3)).to(dtype)
        let labels = Tensor([0, 0, 1, 1, 2, 2, 2, 3, 0])
        let half = try TripletMiner(margin: 1)(embeddings: embeddings, labels: labels)
        let full = try TripletMiner(margin: 1)(embeddings: embeddings.to(.float32), labels: labels)
        #expect(half.count > 0)
        #expect(half.negatives.scalars(as: Int.self) == full.negatives.scalars(as: Int.self))
        let other = try MultiSimilarityMiner()(embeddings: embeddings, labels: labels)
        #expect(other.positives.dtype == .int64)
    }

    /// More rows than one block holds: places are those of the whole batch.
    @Test func severalBlocksGiveTheOrderOfOne() throws {
        let count = 1_200
        let embeddings = Tensor.normal([count, 4], generator: Generator(seed: 4))
        let labels = (0..<count).map { $0 % 400 }
        let found = try BatchHardMiner()(embeddings: embeddings, labels: Tensor(labels))
        #expect(found.anchors.scalars(as: Int.self) == Array(0..<count))
        let positives = found.positives.scalars(as: Int.self)
        #expect(positives.enumerated().allSatisfy { labels[$0] == labels[$1] && $0 != $1 })
        let pairs = try BatchEasyHardMiner(positive: .easy, negative: .hard)(
            embeddings: embeddings, labels: Tensor(labels))
        #expect(pairs.positiveAnchors.scalars(as: Int.self) == Array(0..<count))
        #expect(pairs.negativeAnchors.scalars(as: Int.self) == Array(0..<count))
        let draws = try DistanceWeightedMiner(nonzeroLossCutoff: 1.9, generator: Generator(seed: 1))(
            embeddings: embeddings, labels: Tensor(labels))
        // Three members make six pairs a class.
        #expect(draws.anchors.scalars(as: Int.self) == (0..<count).flatMap { [$0, $0] })
        let triplets = try TripletMiner(margin: 0, difficulty: .hard)(embeddings: embeddings, labels: Tensor(labels))
        let anchors = triplets.anchors.scalars(as: Int.self)
        #expect(anchors == anchors.sorted() && (anchors.last ?? 0) > 1_000)
    }

    @Test func drawsRepeatWithTheSeed() throws {
        let embeddings = Tensor.normal([12, 6], generator: Generator(seed: 5))
        let labels = Tensor((0..<12).map { $0 % 4 })
        let draws = try (0..<2).map { _ in
            let miner = try DistanceWeightedMiner(nonzeroLossCutoff: 1.9, generator: Generator(seed: 9))
            return try miner(embeddings: embeddings, labels: labels).negatives.scalars(as: Int.self)
        }
        #expect(draws[0] == draws[1] && !draws[0].isEmpty)
    }
}
