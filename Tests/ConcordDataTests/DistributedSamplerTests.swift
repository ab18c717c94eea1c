import ConcordData
import Testing

@Suite struct DistributedSamplerTests {
    @Test(arguments: [(100, 8), (96, 8), (7, 8), (1, 1), (0, 4)])
    func everySampleOnceInOneProcess(_ count: Int, _ batchSize: Int) {
        let sampler = DistributedSampler(count: count, batchSize: batchSize, seed: 1, dropLast: false)
        let batches = sampler.batches(epoch: 3)
        #expect(batches.joined().sorted() == Array(0..<count))
        #expect(batches.count == sampler.batchesPerEpoch)
        #expect(batches.dropLast().allSatisfy { $0.count == batchSize })
    }

    @Test(arguments: [(100, 4, 3), (13, 2, 4), (3, 2, 4), (48, 4, 3)])
    func ranksShareOutAnEpoch(_ count: Int, _ batchSize: Int, _ worldSize: Int) {
        for dropLast in [false, true] {
            let ranks = (0..<worldSize).map { rank in
                DistributedSampler(
                    count: count, batchSize: batchSize, seed: 5, rank: rank, worldSize: worldSize, dropLast: dropLast
                ).batches(epoch: 1)
            }
            // All ranks have batches of the same sizes.
            #expect(ranks.allSatisfy { $0.map(\.count) == ranks[0].map(\.count) })
            let all = ranks.joined().joined()
            let repeats = all.count - Set(all).count
            if dropLast {
                #expect(repeats == 0 && all.count == count / (batchSize * worldSize) * batchSize * worldSize)
            } else {
                #expect(Set(all) == Set(0..<count) && repeats < worldSize)
            }
        }
    }

    @Test func globalBatchesDoNotDependOnTheWorldSize() {
        let alone = DistributedSampler(count: 50, batchSize: 12, seed: 2).batches(epoch: 0)
        let ranks = (0..<3).map {
            DistributedSampler(count: 50, batchSize: 4, seed: 2, rank: $0, worldSize: 3).batches(epoch: 0)
        }
        for (index, batch) in alone.enumerated() { #expect(ranks.flatMap { $0[index] } == batch) }
    }

    @Test func orderDependsOnSeedAndEpochOnly() {
        let sampler = DistributedSampler(count: 64, batchSize: 64, seed: 9)
        #expect(sampler.batches(epoch: 4) == sampler.batches(epoch: 4))
        #expect(sampler.batches(epoch: 4) != sampler.batches(epoch: 5))
        #expect(sampler.batches(epoch: 4) != DistributedSampler(count: 64, batchSize: 64, seed: 10).batches(epoch: 4))
    }

    /// A resumed run of a later version must see the same order.
    @Test func orderIsPinned() {
        #expect(DistributedSampler(count: 8, batchSize: 8, seed: 1).batches(epoch: 0) == [[0, 5, 4, 7, 1, 3, 2, 6]])
    }
}
