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

    @Test(arguments: [(100, 12, 3), (13, 8, 4), (3, 8, 4), (48, 12, 5)])
    func ranksShareOutEachBatch(_ count: Int, _ batchSize: Int, _ worldSize: Int) {
        for dropLast in [false, true] {
            let alone = DistributedSampler(count: count, batchSize: batchSize, seed: 5, dropLast: dropLast)
            let ranks = (0..<worldSize).map { rank in
                DistributedSampler(
                    count: count, batchSize: batchSize, seed: 5, rank: rank, worldSize: worldSize, dropLast: dropLast)
            }
            let batches = alone.batches(epoch: 1)
            // Batches do not depend on the number of processes.
            #expect(ranks.allSatisfy { $0.batches(epoch: 1) == batches })
            for batch in batches {
                let shares = ranks.map { $0.share(of: batch.count) }
                #expect(shares.flatMap(\.self) == Array(batch.indices))
                let sizes = shares.map(\.count)
                #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1, "\(sizes)")
            }
        }
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
