/// How a ``Batcher`` fills its runs, and what it refuses.
package struct BatcherOptions: Sendable {
    /// The numbers of items that a run may have, rising.
    package var buckets: [Int]
    /// Runs at a time, each on a thread of its own.
    package var workers: Int
    /// The most items that wait, those announced included.
    package var capacity: Int
    /// Items are refused when they would wait longer.
    package var longestWait: Duration
    /// The least share of places in runs that the bulk lane has while the other has items, from 0 to 1.
    package var bulkShare: Double
    /// A run has no more items than are done in so long, going by those before, but two at least; nil for as many as there
    /// are places. The second item shares the reading of the weights with the first. Once a run keeps its processor busy,
    /// more items in it do not make it faster, but have all of them wait for the last.
    package var longestRun: Duration?
    /// How long a free worker waits for items that are on their way, as a share of the time that a run takes. Worth it where
    /// a run is long and items come in crowds: a run with the first of them alone would keep the others waiting.
    package var gathering: Double
    /// A run without progress for longer is given up.
    package var stuckAfter: Duration

    package init(
        buckets: [Int] = [1], workers: Int = 1, capacity: Int = 1024, longestWait: Duration = .seconds(30),
        bulkShare: Double = 0.2, longestRun: Duration? = nil, gathering: Double = 0,
        stuckAfter: Duration = .seconds(60)
    ) {
        precondition(
            buckets.first == 1 && zip(buckets, buckets.dropFirst()).allSatisfy(<),
            "buckets \(buckets) do not rise from 1")
        self.buckets = buckets
        self.workers = max(workers, 1)
        self.capacity = capacity
        self.longestWait = longestWait
        self.bulkShare = min(max(bulkShare, 0), 1)
        self.longestRun = longestRun
        self.gathering = max(gathering, 0)
        self.stuckAfter = stuckAfter
    }
}
