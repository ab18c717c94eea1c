import ConcordCore

/// Says which samples each process takes in each batch of an epoch.
///
/// The order of an epoch is a shuffle that depends on the seed and the epoch alone; there is no state to save. A
/// global batch is the next `batchSize * worldSize` samples of the order, and each rank takes its part of it: all
/// ranks together see the batches of one process with a batch `worldSize` times as large, whatever the world size.
///
/// Every sample comes exactly once an epoch, with two exceptions. With `dropLast` the incomplete last global batch is
/// left out. Without it that batch is shared out evenly; when its length is no multiple of `worldSize`, samples from
/// the start of the order fill it up (fewer than `worldSize` of them), because ranks must agree on batch sizes.
public struct DistributedSampler: Sendable, Hashable {
    /// Number of samples.
    public let count: Int
    /// Samples of one rank in one batch.
    public let batchSize: Int
    public let seed: UInt64
    public let rank: Int
    public let worldSize: Int
    package let dropLast: Bool

    public init(
        count: Int, batchSize: Int, seed: UInt64, rank: Int = 0, worldSize: Int = 1, dropLast: Bool = true
    ) {
        precondition(
            count >= 0 && batchSize > 0 && worldSize > 0 && (0..<worldSize).contains(rank),
            "no sampler of \(count) samples, batch size \(batchSize), rank \(rank) of \(worldSize)")
        self.count = count
        self.batchSize = batchSize
        self.seed = seed
        self.rank = rank
        self.worldSize = worldSize
        self.dropLast = dropLast
    }

    private var globalBatchSize: Int { batchSize * worldSize }

    /// Batches an epoch; the same on every rank.
    package var batchesPerEpoch: Int {
        dropLast ? count / globalBatchSize : (count + globalBatchSize - 1) / globalBatchSize
    }

    /// The sample indices of this rank, batch by batch.
    public func batches(epoch: Int) -> [[Int]] {
        guard count > 0 else { return [] }
        var order = Array(0..<count)
        var random = RandomSource(seed: seed, stream: 0x73616D_706C6572, UInt64(epoch))
        random.shuffle(&order)
        return (0..<batchesPerEpoch).map { batch in
            let start = batch * globalBatchSize
            let length = min(globalBatchSize, count - start)
            let share = (length + worldSize - 1) / worldSize
            return (0..<share).map { order[(start + rank * share + $0) % count] }
        }
    }
}
