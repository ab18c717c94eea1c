import ConcordEvaluate
import ConcordTensor
import Testing

@Suite struct RetrievalTests {
    @Test func countsWhatScoresAboveTheBestPositive() {
        // Query 0 scores the gallery 1, 0, 0.6; query 1 scores it 0, 1, 0.8.
        let queries = Tensor([1, 0, 0, 1] as [Float], shape: [2, 2])
        let gallery = Tensor([1, 0, 0, 1, 0.6, 0.8] as [Float], shape: [3, 2])
        let ranks = RetrievalRanks.compute(queries: queries, gallery: gallery, positives: [[2], [0]], blockSize: 1)
        #expect(ranks == [2, 3])
        // With several positives the best one counts, and the others are not before it.
        #expect(RetrievalRanks.compute(queries: queries, gallery: gallery, positives: [[1, 2], [1, 2]]) == [2, 1])
    }

    @Test func aCollapsedModelRanksLast() {
        let same = Tensor.ones([5, 2])
        #expect(
            RetrievalRanks.compute(queries: same, gallery: same, positives: [[0], [1], [2, 3], [3], [4]]) == [
                5, 5, 4, 5, 5,
            ])
    }

    @Test func aModelThatIsNotANumberRanksLast() {
        let vectors = Tensor.full([4, 2], .nan)
        #expect(
            RetrievalRanks.compute(queries: vectors, gallery: vectors, positives: [[0], [1], [2], [3]]) == [4, 4, 4, 4])
    }

    @Test func metricsFromRanks() {
        let metrics = RetrievalMetrics(ranks: [1, 3, 7, 20])
        #expect(metrics.recallAt1 == 0.25 && metrics.recallAt5 == 0.5 && metrics.recallAt10 == 0.75)
        #expect(metrics.medianRank == 5)
        #expect(RetrievalMetrics(ranks: [2, 9, 4]).medianRank == 4)
    }
}
