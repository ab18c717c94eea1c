import ConcordCore
import ConcordLosses
import ConcordTensor
import ConcordTestSupport
import Foundation
import Testing

/// Miners against PyTorch Metric Learning's, ties included: one batch is of small integers with repeated rows, one has a
/// class of one member, and one is compared with another modality.
@Suite struct MinerTests {
    static let batches = ["random", "ties", "cross"]

    /// A batch of the golden file, and how a miner runs on it.
    struct Batch {
        let golden: [String: Golden.Tensor]
        let name: String

        init(_ name: String) throws {
            golden = try Golden.tensors("losses", "miners.safetensors")
            self.name = name
        }

        func run<M: Miner>(_ miner: M) throws -> M.Indices {
            let side = name == "cross" ? "random" : name
            let embeddings = try #require(golden["\(side).embeddings"]).tensor
            let labels = try #require(golden["\(side).labels"]).labels
            guard name == "cross" else { return try miner(embeddings: embeddings, labels: labels) }
            return try miner(
                anchors: embeddings, anchorLabels: labels, candidates: #require(golden["cross.embeddings"]).tensor,
                candidateLabels: #require(golden["cross.labels"]).labels)
        }

        var distances: [String] {
            switch name {
            case "random": ["euclidean", "manhattan", "squared", "cosine"]
            case "ties": ["euclidean", "manhattan", "squared"]
            default: ["euclidean"]
            }
        }

        /// The golden tuples are sorted, which is the order that miners return.
        func expect(_ indices: [Tensor], _ key: String) throws {
            let expected = try #require(golden["\(name).\(key)"])
            let tuples = Tensor.stacked(indices, axis: 1)
            #expect(tuples.dtype == .int64)
            #expect(tuples.scalars(as: Int.self) == expected.integers, "\(name).\(key)")
        }
    }

    @Test(arguments: batches)
    func tripletsOfAMargin(name: String) throws {
        let batch = try Batch(name)
        var total = 0
        for distance in batch.distances {
            for (key, difficulty) in TripletCase.difficulties {
                let found = try batch.run(
                    TripletMiner(
                        margin: TripletCase.margin(name == "ties" ? name : "random", distance),
                        difficulty: difficulty, distance: #require(TripletCase.distances[distance])))
                try batch.expect(
                    [found.anchors, found.positives, found.negatives], "triplet.\(distance).\(key)")
                total += found.count
            }
        }
        #expect(total > 100)
    }

    @Test(arguments: batches)
    func hardestOfABatch(name: String) throws {
        let batch = try Batch(name)
        for distance in batch.distances {
            let found = try batch.run(BatchHardMiner(distance: #require(TripletCase.distances[distance])))
            try batch.expect([found.anchors, found.positives, found.negatives], "hard.\(distance)")
            #expect(found.count > 0)
        }
    }

    @Test(arguments: batches)
    func easyAndHardOfABatch(name: String) throws {
        let batch = try Batch(name)
        for distance in batch.distances where ["euclidean", "cosine"].contains(distance) {
            let names = Set(
                batch.golden.keys.filter { $0.hasPrefix("\(name).easyHard.\(distance).") }.map {
                    String($0.split(separator: ".")[3])
                })
            #expect(names.count == 13)
            for choices in names {
                let pair = try TripletCase.pair(choices)
                let found = try batch.run(
                    BatchEasyHardMiner(
                        positive: pair.positive, negative: pair.negative,
                        distance: #require(TripletCase.distances[distance])))
                let key = "easyHard.\(distance).\(choices)"
                try batch.expect([found.positiveAnchors, found.positives], key + ".positive")
                try batch.expect([found.negativeAnchors, found.negatives], key + ".negative")
            }
        }
    }

    @Test(arguments: batches, [0.1, 0.5])
    func multiSimilarity(name: String, epsilon: Double) throws {
        let batch = try Batch(name)
        let found = try batch.run(MultiSimilarityMiner(epsilon: epsilon))
        try batch.expect([found.positiveAnchors, found.positives], "multiSimilarity.\(epsilon).positive")
        try batch.expect([found.negativeAnchors, found.negatives], "multiSimilarity.\(epsilon).negative")
    }

    @Test(arguments: batches, [20, 45])
    func angular(name: String, angle: Int) throws {
        let batch = try Batch(name)
        let found = try batch.run(AngularMiner(angle: Double(angle)))
        try batch.expect([found.anchors, found.positives, found.negatives], "angular.\(angle)")
        #expect(found.count > 0)
    }

    /// Where a row has no negative near enough, the peer's weights are not numbers, and here they are 0.
    @Test(arguments: batches)
    func distanceWeightedProbabilities(name: String) throws {
        let batch = try Batch(name)
        let side = name == "cross" ? "random" : name
        let rows = try #require(batch.golden["\(side).embeddings"]).tensor
        let labels = try #require(batch.golden["\(side).labels"]).labels
        let miner = try DistanceWeightedMiner(generator: Generator(seed: 0))
        let weights = miner.probabilities(
            rows: rows, columns: try #require(batch.golden["\(name).embeddings"]).tensor,
            block: RowBlock(
                rows: 0..<rows.size(0), rowLabels: labels,
                columnLabels: try #require(batch.golden["\(name).labels"]).labels,
                comparesWithItself: name != "cross"))
        let expected = try #require(batch.golden["\(name).distanceWeighted"])
        expectClose(weights.scalars(as: Double.self), expected.values, absolute: 1e-12, relative: 1e-10)
    }

    @Test func distanceWeightedDrawsFollowTheProbabilities() throws {
        let batch = try Batch("random")
        let rows = try #require(batch.golden["random.embeddings"]).tensor
        let expected = try #require(batch.golden["random.distanceWeighted"])
        let labels = try #require(batch.golden["random.labels"]).integers
        let miner = try DistanceWeightedMiner(generator: Generator(seed: 11))
        var counts = [Double](repeating: 0, count: expected.values.count)
        var pairs: Set<[Int]> = []
        let repetitions = 3_000, columns = expected.shape[1]
        for _ in 0..<repetitions {
            let found = try miner(embeddings: rows, labels: Tensor(labels))
            let tuples = [found.anchors, found.positives, found.negatives].map { $0.scalars(as: Int.self) }
            for index in 0..<found.count {
                let (anchor, positive, negative) = (tuples[0][index], tuples[1][index], tuples[2][index])
                #expect(anchor != positive && labels[anchor] == labels[positive] && labels[anchor] != labels[negative])
                counts[anchor * columns + negative] += 1
                pairs.insert([anchor, positive])
            }
        }
        // Each positive pair draws once a time: four members make twelve pairs.
        let members = Dictionary(grouping: labels, by: \.self).mapValues(\.count)
        #expect(pairs.count == members.values.map { $0 * ($0 - 1) }.reduce(0, +))
        for (anchor, label) in labels.enumerated() {
            let draws = Double(repetitions * ((members[label] ?? 1) - 1))
            guard draws > 0 else { continue }
            for column in 0..<columns {
                let probability = expected.values[anchor * columns + column]
                let deviation = (draws * probability * (1 - probability)).squareRoot()
                #expect(abs(counts[anchor * columns + column] - draws * probability) <= 5 * deviation)
            }
        }
    }

    /// Mined triplets are those that the loss takes.
    @Test(arguments: ["random", "ties"])
    func theLossTakesWhatTheMinerFinds(name: String) throws {
        let batch = try Batch(name)
        let embeddings = try #require(batch.golden["\(name).embeddings"]).tensor
        let labels = try #require(batch.golden["\(name).labels"]).labels
        for (difficulty, mining) in [
            (TripletDifficulty.any, TripletMining.any), (.all, .all), (.hard, .hard), (.semiHard, .semiHard),
            (.easy, .easy),
        ] {
            let found = try batch.run(TripletMiner(margin: 1, difficulty: difficulty, distance: .squaredEuclidean))
            let terms = try TripletMarginLoss(distance: .squaredEuclidean, mining: mining, averaging: .all).terms(
                rows: embeddings, columns: embeddings,
                block: RowBlock(
                    rows: 0..<embeddings.size(0), rowLabels: labels, columnLabels: labels, comparesWithItself: true))
            #expect(Double(found.count) == terms.count.item())
        }
    }
}
