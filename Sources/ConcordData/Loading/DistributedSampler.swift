import ConcordCore

/// The samples of each batch of an epoch, and the part of a batch that each process takes.
///
/// The order of an epoch is a shuffle that depends on the seed and the epoch alone; there is no state to save. A batch
/// is the next `batchSize` samples of the order, whatever the number of processes, so a run may be resumed with another
/// one. Processes share a batch out: in order of their ranks, in parts that differ by at most one sample. Each sample
/// comes once an epoch; with `dropLast` the incomplete last batch is left out, other samples each time.
public struct DistributedSampler: Sendable, Hashable {
    /// Number of samples.
    public let count: Int
    /// Samples of a batch, of all processes together.
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

    /// Batches an epoch; the same on every rank.
    package var batchesPerEpoch: Int { dropLast ? count / batchSize : (count + batchSize - 1) / batchSize }

    /// The sample indices of each batch, of all processes together.
    public func batches(epoch: Int) -> [[Int]] {
        var order = Array(0..<count)
        var random = RandomSource(seed: seed, stream: 0x73616D_706C6572, UInt64(epoch))
        random.shuffle(&order)
        return (0..<batchesPerEpoch).map { batch in
            let start = batch * batchSize
            return Array(order[start..<min(start + batchSize, count)])
        }
    }

    /// The places in a batch of `length` samples that this rank takes.
    public func share(of length: Int) -> Range<Int> {
        rank * length / worldSize..<(rank + 1) * length / worldSize
    }
}
