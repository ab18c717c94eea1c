import Synchronization

/// Runs items of many requests together: each of its threads takes what waits the moment it is free, so that nothing is
/// delayed to fill a batch, but for a moment where the options say so and more items are on their way.
///
/// Interactive items go first; those of the bulk lane have a share of every run all the same. Items are refused at
/// once when they would wait for too long, and answered without a run when their deadline has passed or nobody waits
/// for them any more. When a run fails, its items are tried one by one, so that one of them cannot fail the others.
///
/// When this object is released, the work given so far is still done, and the threads end.
package final class Batcher<Item: Sendable, Output: Sendable>: Sendable {
    /// Works on items, at most as many as the largest bucket, and answers for each, by way of the run. What it throws
    /// is the answer for those it has not answered for, once they have been tried alone.
    package typealias Work = @Sendable (_ items: [Item], _ run: BatchRun<Output>) throws(ServingError) -> Void

    /// Events of items, for metrics.
    package enum Event: Sendable {
        case queued(Int)
        case waited(seconds: Double)
        case ran(items: Int, seconds: Double)
    }

    private let queue: BatchQueue<Item, Output>

    /// - Parameters:
    ///   - now: the time; tests have their own.
    ///   - observe: called on the queue's threads; must not block.
    package init(
        name: String, options: QueueOptions, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
        observe: @escaping @Sendable (Event) -> Void = { _ in }, work: @escaping Work
    ) {
        precondition(
            options.buckets.first == 1 && zip(options.buckets, options.buckets.dropFirst()).allSatisfy(<),
            "buckets \(options.buckets) do not rise from 1")
        queue = BatchQueue(name: name, options: options, now: now, observe: observe, work: work)
        queue.startWorkers()
    }

    deinit { queue.close() }

    /// A place for an item that will come. Throws `.overloaded` or `.deadlineExceeded` without waiting.
    package func admit(_ context: WorkContext) throws(ServingError) -> QueueSlot {
        try queue.admit(context)
        return QueueSlot { [queue] in queue.releasePlace() }
    }

    /// Waits for an item's turn and its result.
    ///
    /// - Parameters:
    ///   - ticket: the item's place; nil asks for one now.
    ///   - goesFirst: before all others.
    /// - Throws: `.overloaded`, `.deadlineExceeded`, `.cancelled` when the task is cancelled, or what the work throws.
    package func run(
        _ item: Item, ticket: QueueSlot? = nil, goesFirst: Bool = false, _ context: WorkContext
    ) async throws(ServingError) -> Output {
        let ticket = if let ticket { ticket } else { try admit(context) }
        let entry = BatchEntry<Output>(context, arrival: queue.now())
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if entry.attach(continuation) { queue.add(item, entry, goesFirst: goesFirst) }
                ticket.release()
            }
        } onCancel: { [queue] in
            queue.cancel(entry)
        }
        return try result.get()
    }

    /// The problem of the queue; `nil` if it is healthy. Gives up stuck runs, and answers for their items.
    package func check() -> String? { queue.check() }

    /// Items that wait or will come.
    package var queuedCount: Int { queue.queuedCount }

    /// Items that wait.
    package var waitingCount: Int { queue.waitingCount }

    /// Threads that wait for items.
    package var idleWorkerCount: Int { queue.idleWorkerCount }

    /// Items of a run, on average; `nil` before the first.
    package var meanBatch: Double? { queue.meanBatch }

    /// Refuses new items, and returns when those accepted are done and the threads end.
    package func close() async {
        await withCheckedContinuation { continuation in
            queue.close { continuation.resume() }
        }
    }
}

/// The settings of a queue: what it refuses, and how it fills its runs. All defaults are here.
public struct QueueOptions: Sendable {
    /// The runs at a time, each on a separate thread.
    public var workers = 1 { didSet { workers = max(workers, 1) } }
    /// The most items that wait, those included that are still being made ready.
    public var capacity = 1024
    /// Refuses items that would wait longer.
    public var longestWait: Duration = .seconds(5)
    /// The least share of places in runs that the bulk lane has while the other has items, from 0 to 1.
    public var bulkShare = 0.2 { didSet { bulkShare = min(max(bulkShare, 0), 1) } }
    /// Caps a run at the number of items that should finish within this time, estimated from earlier runs (at least two);
    /// `nil` means no cap.
    ///
    /// The second item shares the reading of the weights with the first. Once a run keeps its processor busy, more items
    /// in it do not make it faster, but have all of them wait for the last.
    public var longestRun: Duration? = .milliseconds(80)
    /// Gives up a run that makes no progress for longer; its model is then not ready.
    public var stuckAfter: Duration = .seconds(60)

    /// The numbers of items that a run may have, rising from 1.
    package var buckets = [1]
    /// Time that a free worker waits for items that are on their way, as a share of a run's time. Worth it where
    /// a run is long and items come in crowds: a run with the first of them alone would keep the others waiting.
    package var gathering = 0.0

    public init() {}
}

/// The part of a request that the engine has to know: its priority, deadline and ids.
package struct WorkContext: Sendable, Hashable {
    package var priority: Priority
    /// Deadline of the answer; `nil` for none.
    package var deadline: ContinuousClock.Instant?
    package var requestID: String
    /// The id of the caller's key; `nil` where no keys are asked for.
    package var caller: String?

    package init(
        priority: Priority = .interactive, deadline: ContinuousClock.Instant? = nil, requestID: String = "",
        caller: String? = nil
    ) {
        self.priority = priority
        self.deadline = deadline
        self.requestID = requestID
        self.caller = caller
    }
}

/// The lane of the queue that a request waits in.
package enum Priority: String, Sendable, Hashable, CaseIterable {
    /// Goes first.
    case interactive
    /// Waits for the interactive ones, but always has a share of the work.
    case bulk
}

/// A place in the queue of a ``Batcher`` for an item that is still being made ready. It is free again when the item has
/// come, or when this object goes.
package final class QueueSlot: Sendable {
    private let isUsed = Atomic(false)
    private let onRelease: @Sendable () -> Void

    init(onRelease: @escaping @Sendable () -> Void) { self.onRelease = onRelease }

    deinit { release() }

    package func release() {
        if !isUsed.exchange(true, ordering: .acquiringAndReleasing) { onRelease() }
    }
}

/// The items of one run of a ``Batcher``, as the work sees them: by their place in it.
package struct BatchRun<Output: Sendable>: Sendable {
    let entries: [BatchEntry<Output>]
    let onProgress: @Sendable () -> Void

    /// Answers for an item at once, before the run ends.
    package func finish(_ index: Int, _ result: Result<Output, ServingError>) { entries[index].finish(result) }

    /// True if nobody waits for an item any more.
    package func isOver(_ index: Int) -> Bool { !entries[index].isOpen }

    /// Tells that a long run goes on.
    package func progress() { onProgress() }
}

/// An item that somebody waits for: it is answered once, by whoever comes first.
final class BatchEntry<Output: Sendable>: Sendable {
    private enum State {
        case new
        case awaited(CheckedContinuation<Result<Output, ServingError>, Never>)
        case answered(Result<Output, ServingError>)
        case over
    }

    let priority: Priority
    let deadline: ContinuousClock.Instant?
    let arrival: ContinuousClock.Instant
    private let state = Mutex(State.new)

    init(_ context: WorkContext, arrival: ContinuousClock.Instant) {
        priority = context.priority
        deadline = context.deadline
        self.arrival = arrival
    }

    /// True until somebody answers.
    var isOpen: Bool {
        state.withLock { state in
            switch state {
            case .new, .awaited: true
            case .answered, .over: false
            }
        }
    }

    /// Resumes `continuation` with the answer. False if it was there already.
    func attach(_ continuation: CheckedContinuation<Result<Output, ServingError>, Never>) -> Bool {
        let early: Result<Output, ServingError>? = state.withLock { state in
            if case .answered(let result) = state {
                state = .over
                return result
            }
            state = .awaited(continuation)
            return nil
        }
        if let early { continuation.resume(returning: early) }
        return early == nil
    }

    /// Answers. False where somebody did before.
    @discardableResult
    func finish(_ result: Result<Output, ServingError>) -> Bool {
        let (isFirst, continuation): (Bool, CheckedContinuation<Result<Output, ServingError>, Never>?) =
            state.withLock { state in
                switch state {
                case .new:
                    state = .answered(result)
                    return (true, nil)
                case .awaited(let continuation):
                    state = .over
                    return (true, continuation)
                case .answered, .over: return (false, nil)
                }
            }
        continuation?.resume(returning: result)
        return isFirst
    }
}
