import ConcordCore

/// The state that the threads of a ``Batcher`` share, separate so that its owner can go while they work.
///
/// `@unchecked Sendable`: every mutable property is touched only while `condition` is locked.
final class BatchQueue<Item: Sendable, Output: Sendable>: @unchecked Sendable {
    struct Waiting {
        let item: Item
        let entry: BatchEntry<Output>
    }

    /// Items that a worker works on.
    struct Run {
        let id: Int
        let waiting: [Waiting]
    }

    private struct Progress {
        var lastSign: ContinuousClock.Instant
        let entries: [BatchEntry<Output>]
    }

    private let name: String
    private let options: QueueOptions
    let now: @Sendable () -> ContinuousClock.Instant
    private let observe: @Sendable (Batcher<Item, Output>.Event) -> Void
    private let work: Batcher<Item, Output>.Work

    private let condition = Condition()
    private var lanes: [Priority: Deque<Waiting>] = [.interactive: .init(), .bulk: .init()]
    /// Entries of `lanes` that somebody waits for.
    private var open: [Priority: Int] = [.interactive: 0, .bulk: 0]
    /// Places of items that will come.
    private var announced = 0
    private var runs: [Int: Progress] = [:]
    private var runCount = 0
    private var itemCount = 0
    private var idleWorkers = 0
    private var workerCount = 0
    private var startedWorkers = 0
    /// Places in runs that the bulk lane is owed.
    private var bulkCredit = 0.0
    private var rate = ThroughputEstimate()
    private var isClosed = false
    private var onEnd: [@Sendable () -> Void] = []
    /// Since a run was given up, and none has ended since.
    private var isStuck = false

    init(
        name: String, options: QueueOptions, now: @escaping @Sendable () -> ContinuousClock.Instant,
        observe: @escaping @Sendable (Batcher<Item, Output>.Event) -> Void, work: @escaping Batcher<Item, Output>.Work
    ) {
        self.name = name
        self.options = options
        self.now = now
        self.observe = observe
        self.work = work
    }

    // MARK: Items come

    func admit(_ context: WorkContext) throws(ServingError) {
        let moment = now()
        try condition.locked { () throws(ServingError) in
            let queued = openCount + announced
            let retryAfter = rate.retryAfter(items: queued + runningCount, workers: options.workers)
            if isClosed {
                throw ServingError(.overloaded, "The server is stopping.", retryAfter: retryAfter)
            }
            // Bulk items do not hold up interactive ones, but for their share, which is small.
            let ahead =
                runningCount + announced + (context.priority == .bulk ? openCount : open[.interactive, default: 0])
            let wait = rate.wait(items: ahead, workers: options.workers)
            if let deadline = context.deadline {
                guard moment < deadline else { throw .pastDeadline }
                // The item's own run has to fit, too.
                guard moment + rate.wait(items: ahead + options.workers, workers: options.workers) <= deadline else {
                    throw ServingError(
                        .overloaded, "The queue is too long for the deadline of the request.", retryAfter: retryAfter)
                }
            }
            guard queued < options.capacity, wait <= options.longestWait else {
                throw ServingError(.overloaded, "The queue is full.", retryAfter: retryAfter)
            }
            announced += 1
        }
    }

    func releasePlace() {
        condition.locked {
            announced -= 1
            // It may be the last one that a closed queue waits for, or a worker that gathers.
            if isClosed || options.gathering > 0 { condition.broadcast() }
        }
    }

    func add(_ item: Item, _ entry: BatchEntry<Output>, goesFirst: Bool) {
        let queued = condition.locked {
            let waiting = Waiting(item: item, entry: entry)
            if goesFirst {
                lanes[entry.priority]?.prepend(waiting)
            } else {
                lanes[entry.priority]?.append(waiting)
            }
            open[entry.priority, default: 0] += 1
            condition.signal()
            return openCount
        }
        observe(.queued(queued))
    }

    /// Nobody waits for `entry` any more; where it is in a run, its result is dropped.
    func cancel(_ entry: BatchEntry<Output>) {
        condition.locked {
            guard entry.finish(.failure(ServingError.cancelled)) else { return }
            prune(entry.priority)
        }
    }

    // MARK: State

    private var openCount: Int { open.values.reduce(0, +) }
    private var runningCount: Int { runs.values.reduce(0) { $0 + $1.entries.count } }

    var waitingCount: Int { condition.locked { openCount } }
    var queuedCount: Int { condition.locked { openCount + announced } }
    var idleWorkerCount: Int { condition.locked { idleWorkers } }
    var meanBatch: Double? { condition.locked { runCount == 0 ? nil : Double(itemCount) / Double(runCount) } }

    /// Drops entries that were answered while they waited.
    private func prune(_ priority: Priority) {
        lanes[priority]?.removeAll { !$0.entry.isOpen }
        open[priority] = lanes[priority]?.count ?? 0
    }

    func check() -> String? {
        let moment = now()
        return condition.locked {
            for priority in Priority.allCases { expire(priority, at: moment) }
            for (id, run) in runs where moment - run.lastSign > options.stuckAfter {
                runs[id] = nil
                isStuck = true
                for entry in run.entries {
                    entry.finish(
                        .failure(
                            ServingError(
                                .overloaded, "The model did not answer in time.",
                                retryAfter: rate.retryAfter(items: openCount, workers: options.workers))))
                }
                // The thread cannot be ended. When it comes back it finds that its run is over, and goes if another is in
                // its place.
                if startedWorkers < 8 * options.workers { replaceWorker() }
            }
            if isStuck { return "\(name): a run is stuck" }
            let oldest = Priority.allCases.compactMap { lanes[$0]?.first?.entry.arrival }.min()
            if let oldest, moment - oldest > options.longestWait + options.stuckAfter {
                return "\(name): the queue does not move"
            }
            return nil
        }
    }

    private func expire(_ priority: Priority, at moment: ContinuousClock.Instant) {
        lanes[priority]?.removeAll { waiting in
            guard let deadline = waiting.entry.deadline, deadline <= moment else { return false }
            waiting.entry.finish(.failure(.pastDeadline))
            return true
        }
        prune(priority)
    }

    func close(onEnd: (@Sendable () -> Void)? = nil) {
        let isOver = condition.locked {
            isClosed = true
            condition.broadcast()
            if workerCount == 0 { return true }
            if let onEnd { self.onEnd.append(onEnd) }
            return false
        }
        if isOver { onEnd?() }
    }

    // MARK: Threads

    func startWorkers() {
        condition.locked {
            for _ in 0..<options.workers { SystemThread.startOrEnd(name: addWorker()) { [self] in workUntilClosed() } }
        }
    }

    /// A worker in the place of one that is stuck, where the system has a thread left.
    private func replaceWorker() {
        let name = addWorker()
        do throws(ConcordError) {
            try SystemThread.start(name: name) { [self] in workUntilClosed() }
        } catch {
            workerCount -= 1
            startedWorkers -= 1
        }
    }

    /// Counts a worker and names it.
    private func addWorker() -> String {
        workerCount += 1
        defer { startedWorkers += 1 }
        return "concord-\(name)-\(startedWorkers)"
    }

    private func workUntilClosed() {
        while let run = next() {
            let start = now()
            for waiting in run.waiting { observe(.waited(seconds: (start - waiting.entry.arrival).inSeconds)) }
            perform(run)
            guard end(run, seconds: (now() - start).inSeconds) || isNeeded() else { break }
        }
        let endings = condition.locked {
            workerCount -= 1
            defer { if workerCount == 0 { onEnd = [] } }
            return workerCount == 0 ? onEnd : []
        }
        for ending in endings { ending() }
    }

    /// The next run of a free worker; `nil` if there is nothing and nothing will come.
    private func next() -> Run? {
        let (run, queued): (Run?, Int) = condition.locked {
            while true {
                let moment = now(), gatheringEnd = gatheringEnd
                if openCount > 0, gatheringEnd.map({ $0 <= moment }) ?? true {
                    let waiting = take(at: moment)
                    guard !waiting.isEmpty else { continue }
                    startedRuns += 1
                    runs[startedRuns] = Progress(lastSign: moment, entries: waiting.map(\.entry))
                    return (Run(id: startedRuns, waiting: waiting), openCount)
                }
                if isClosed && announced == 0 { return (nil, 0) }
                idleWorkers += 1
                if let gatheringEnd {
                    _ = condition.wait(for: gatheringEnd - moment)
                } else {
                    condition.wait()
                }
                idleWorkers -= 1
            }
        }
        if run != nil { observe(.queued(queued)) }
        return run
    }
    private var startedRuns = 0

    /// Until when the next run waits for items that are on their way; `nil` where it does not.
    private var gatheringEnd: ContinuousClock.Instant? {
        guard options.gathering > 0, announced > 0, let seconds = rate.secondsPerRun,
            let oldest = Priority.allCases.compactMap({ lanes[$0]?.first?.entry.arrival }).min(),
            openCount < (options.buckets.last ?? 1) * (idleWorkers + 1)
        else { return nil }
        return oldest + .seconds(options.gathering * seconds)
    }

    /// Takes the items of the next run out of the lanes, which are not all empty.
    private func take(at moment: ContinuousClock.Instant) -> [Waiting] {
        // Idle workers share what waits; and a bucket that is full beats a larger one that is padded.
        let fair = (openCount + idleWorkers) / (idleWorkers + 1)
        let most = options.longestRun.flatMap { rate.items(in: $0) }.map { max($0, 2) } ?? fair
        let places = options.buckets.last { $0 <= min(fair, most) } ?? 1
        let (interactive, bulk) = (open[.interactive, default: 0], open[.bulk, default: 0])
        var bulkPlaces = max(places - interactive, 0)
        if interactive > 0 && bulk > 0 {
            bulkCredit += Double(places) * options.bulkShare
            bulkPlaces = max(bulkPlaces, min(bulk, places, Int(bulkCredit + 1e-9)))
            bulkCredit = max(bulkCredit - Double(bulkPlaces), 0)
        } else {
            bulkCredit = 0
        }
        return pop(places - bulkPlaces, from: .interactive, at: moment) + pop(bulkPlaces, from: .bulk, at: moment)
    }

    private func pop(_ count: Int, from priority: Priority, at moment: ContinuousClock.Instant) -> [Waiting] {
        var taken = [Waiting]()
        while taken.count < count, let waiting = lanes[priority]?.popFirst() {
            open[priority, default: 0] -= 1
            guard waiting.entry.isOpen else { continue }
            if let deadline = waiting.entry.deadline, deadline <= moment {
                waiting.entry.finish(.failure(.pastDeadline))
            } else {
                taken.append(waiting)
            }
        }
        return taken
    }

    private func perform(_ run: Run) {
        let entries = run.waiting.map(\.entry)
        let sign: @Sendable () -> Void = { [self] in _ = note(run) }
        do throws(ServingError) {
            try work(run.waiting.map(\.item), BatchRun(entries: entries, onProgress: sign))
        } catch {
            for waiting in run.waiting where waiting.entry.isOpen {
                guard run.waiting.count > 1 else {
                    waiting.entry.finish(.failure(error))
                    continue
                }
                guard note(run) else { return }
                if let deadline = waiting.entry.deadline, deadline <= now() {
                    waiting.entry.finish(.failure(.pastDeadline))
                    continue
                }
                do throws(ServingError) {
                    try work([waiting.item], BatchRun(entries: [waiting.entry], onProgress: sign))
                } catch {
                    waiting.entry.finish(.failure(error))
                }
            }
        }
        for entry in entries { entry.finish(.failure(ServingError(.failed, "The model gave no result."))) }
    }

    /// Notes that a run goes on. False when it was given up.
    private func note(_ run: Run) -> Bool {
        let moment = now()
        return condition.locked {
            runs[run.id]?.lastSign = moment
            return runs[run.id] != nil
        }
    }

    /// True if a worker whose run was given up stays, because nobody took its place.
    private func isNeeded() -> Bool {
        condition.locked {
            guard workerCount <= options.workers else { return false }
            isStuck = false
            return true
        }
    }

    /// Notes that a run is over. False when it was given up.
    private func end(_ run: Run, seconds: Double) -> Bool {
        let isCurrent = condition.locked {
            guard runs.removeValue(forKey: run.id) != nil else { return false }
            rate.record(items: run.waiting.count, seconds: seconds)
            runCount += 1
            itemCount += run.waiting.count
            isStuck = false
            return true
        }
        if isCurrent { observe(.ran(items: run.waiting.count, seconds: seconds)) }
        return isCurrent
    }
}

/// The throughput of a queue, as moving means of the seconds for a run and for an item.
struct ThroughputEstimate: Sendable {
    /// `nil` before the first run.
    private(set) var secondsPerItem: Double?
    /// `nil` before the first run.
    private(set) var secondsPerRun: Double?
    private let newWeight = 0.2

    mutating func record(items: Int, seconds: Double) {
        guard items > 0 else { return }
        func moved(_ mean: Double?, to new: Double) -> Double { mean.map { $0 + newWeight * (new - $0) } ?? new }
        secondsPerItem = moved(secondsPerItem, to: seconds / Double(items))
        secondsPerRun = moved(secondsPerRun, to: seconds)
    }

    /// The time that `items` take with `workers` concurrent runs.
    func wait(items: Int, workers: Int) -> Duration {
        .seconds(Double(items) * (secondsPerItem ?? 0) / Double(workers))
    }

    /// The number of items that one run does in `duration`; `nil` before the first run.
    func items(in duration: Duration) -> Int? {
        secondsPerItem.map { Int(min(duration.inSeconds / max($0, 1e-9), 1e9)) }
    }

    /// The time that a client is told to wait: that which `items` take, within 1 to 120 seconds.
    func retryAfter(items: Int, workers: Int) -> Duration {
        min(max(wait(items: items, workers: workers), .seconds(1)), .seconds(120))
    }
}

extension Duration {
    package var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
