import ConcordCore
import ConcordLosses
import ConcordTensor
import ConcordTestSupport
import Foundation
import Testing

/// Losses of labelled batches against PyTorch Metric Learning's `TripletMarginLoss` with its miners and reducers, and
/// sentence-transformers' batch losses. One class has a single member, and one batch is of small integers whose rows
/// repeat, so that distances tie and gaps are exactly 0 or the margin.
@Suite struct TripletBatchTests {
    @Test(arguments: ["random", "ties"])
    func equalsMetricLearning(batch: String) throws {
        let golden = try Golden.tensors("losses", "triplets.safetensors")
        let embeddings = try #require(golden["\(batch).embeddings"]).tensor
        let labels = try #require(golden["\(batch).labels"]).labels
        let names = golden.keys.filter { $0.hasPrefix(batch + ".") && $0.hasSuffix(".value") }
        #expect(names.count == (batch == "random" ? 98 : 74))
        for name in names.sorted() {
            let parts = name.split(separator: ".").map(String.init)
            let (distance, mining, penalty, averaging) = (parts[1], parts[2], parts[3], parts[4])
            let run: ([Tensor]) throws -> Tensor = {
                try tripletLoss(
                    embeddings: $0[0], labels: labels, margin: TripletCase.margin(batch, distance),
                    distance: #require(TripletCase.distances[distance]),
                    penalty: penalty == "hinge" ? .hinge : .softplus, mining: TripletCase.mining(mining),
                    averaging: averaging == "all" ? .all : .nonZero)
            }
            let gradient = try #require(golden[name.replacingOccurrences(of: "value", with: "gradient0")]).values
            let value = try #require(golden[name]).values
            try LossAndGradients([embeddings], run).expectClose(to: value, [gradient], name)
            // Float64 squares rounded roots, here as in the peer, so that a gap of 2 is a little above the margin 2. Our
            // float32 has exact squares, and another choice.
            if batch == "ties" && distance == "squared" { continue }
            try LossAndGradients([embeddings.to(.float32)], run)
                .expectClose(to: value, [gradient], relative: 1e-5, name + ", float32")
        }
    }

    @Test(arguments: ["any", "all", "hard", "semihard", "batchHard", "easy-semihard", "all-hard"])
    func equalsMetricLearningAcrossModalities(mining: String) throws {
        let golden = try Golden.tensors("losses", "triplets.safetensors")
        let inputs = try ["random", "cross"].map { try #require(golden["\($0).embeddings"]).tensor }
        let labels = try ["random", "cross"].map { try #require(golden["\($0).labels"]).labels }
        try LossAndGradients(inputs) {
            try tripletLoss(
                anchors: $0[0], candidates: $0[1], anchorLabels: labels[0], candidateLabels: labels[1], margin: 0.3,
                mining: TripletCase.mining(mining))
        }.expectClose(
            to: try #require(golden["cross.\(mining).value"]).values,
            try (0..<2).map { try #require(golden["cross.\(mining).gradient\($0)"]).values }, mining)
    }

    /// The peer's batch-hard losses count an anchor without a positive as one at distance 0, and put an anchor's missing
    /// negatives at twice its largest distance; here such anchors take no part. These labels have no such anchor.
    @Test(
        arguments: ["batchAll", "batchHard", "batchHardSoftMargin", "batchSemiHard"],
        ["euclidean", "cosine", "squared"])
    func equalsSentenceTransformers(name: String, distance: String) throws {
        let golden = try Golden.tensors("losses", "triplets.safetensors")
        let key = "sentence.\(name).\(distance)"
        let labels = try #require(golden["sentence.labels"]).labels
        let isSoft = name == "batchHardSoftMargin"
        let mining: TripletMining =
            switch name {
            case "batchAll": .any
            case "batchSemiHard": .batchSemiHard
            default: .batchHard
            }
        try LossAndGradients([#require(golden["random.embeddings"]).tensor]) {
            try tripletLoss(
                embeddings: $0[0], labels: labels, margin: isSoft ? 0 : TripletCase.margin("random", distance),
                distance: #require(TripletCase.distances[distance]), penalty: isSoft ? .softplus : .hinge,
                mining: mining, averaging: name == "batchAll" ? .nonZero : .all)
        }.expectClose(
            to: try #require(golden["\(key).value"]).values, [try #require(golden["\(key).gradient0"]).values], key)
    }

    @Test func semiHardTiesEqualSentenceTransformers() throws {
        let golden = try Golden.tensors("losses", "triplets.safetensors")
        let labels = try #require(golden["ties.labels"]).labels, key = "sentence.batchSemiHard.ties"
        let ours = try LossAndGradients([#require(golden["ties.embeddings"]).tensor]) {
            try tripletLoss(
                embeddings: $0[0], labels: labels, margin: 1.75, distance: .squaredEuclidean, mining: .batchSemiHard,
                averaging: .all)
        }
        ours.expectClose(
            to: try #require(golden["\(key).value"]).values, [try #require(golden["\(key).gradient0"]).values], key)
    }

    @Test func batchesWithoutTripletsHaveLossZero() throws {
        let embeddings = Tensor.normal([5, 4], generator: Generator(seed: 3))
        for labels in [[0, 1, 2, 3, 4], [7, 7, 7, 7, 7]] {
            for mining in [
                TripletMining.any, .semiHard, .batchHard, .batchSemiHard, .easyHard(positive: .all, negative: .easy),
            ] {
                for penalty in [TripletPenalty.hinge, .softplus] {
                    let result = try LossAndGradients([embeddings]) {
                        let loss = try tripletLoss(
                            embeddings: $0[0], labels: Tensor(labels), penalty: penalty, mining: mining,
                            averaging: .all)
                        #expect(loss.requiresGradient)
                        return loss
                    }
                    #expect(result.value == [0])
                    #expect(result.gradients[0].allSatisfy { $0 == 0 })
                }
            }
        }
    }
}
