/// Runs items of many requests together: each of its threads takes what waits the moment it is free, so that nothing is
/// delayed to fill a batch, but for a moment where the options say so and more items are on their way.
///
/// Interactive items go first; those of the bulk lane have a share of every run all the same. Items are refused at
/// once when they would wait for too long, and answered without a run when their deadline has passed or nobody waits
/// for them any more. When a run fails, its items are tried one by one, so that one of them cannot fail the others.
///
/// When this object goes, what was already given is still done, and the threads end.
package final class Batcher<Item: Sendable, Output: Sendable>: Sendable {
    /// Works on items, at most as many as the largest bucket, and answers for each, by way of the run. What it throws
    /// is the answer for those it has not answered for, once they have been tried alone.
    package typealias Work = @Sendable (_ items: [Item], _ run: BatchRun<Output>) throws(ServingError) -> Void

    /// What happens to items, for metrics.
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
        name: String, options: BatcherOptions, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
        observe: @escaping @Sendable (Event) -> Void = { _ in }, work: @escaping Work
    ) {
        queue = BatchQueue(name: name, options: options, now: now, observe: observe, work: work)
        queue.startWorkers()
    }

    deinit { queue.close() }

    /// A place for an item that will come. Throws `.overloaded` or `.deadlineExceeded` without waiting.
    package func admit(_ context: WorkContext) throws(ServingError) -> BatchTicket {
        try queue.admit(context)
        return BatchTicket { [queue] in queue.releasePlace() }
    }

    /// Waits for an item's turn and its result.
    ///
    /// - Parameters:
    ///   - ticket: the item's place; nil asks for one now.
    ///   - goesFirst: before all others.
    /// - Throws: `.overloaded`, `.deadlineExceeded`, `.cancelled` when the task is cancelled, or what the work throws.
    package func run(
        _ item: Item, ticket: BatchTicket? = nil, goesFirst: Bool = false, _ context: WorkContext
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

    /// What is wrong with the queue; nil when it is well. Gives up runs that are stuck, and answers for their items.
    package func check() -> String? { queue.check() }

    /// Items that wait or will come.
    package var queuedCount: Int { queue.queuedCount }

    /// Items that wait.
    package var waitingCount: Int { queue.waitingCount }

    /// Threads that wait for items.
    package var idleWorkerCount: Int { queue.idleWorkerCount }

    /// Items of a run, on average; nil before the first.
    package var meanBatch: Double? { queue.meanBatch }

    /// Refuses new items, and returns when those accepted are done and the threads end.
    package func close() async {
        await withCheckedContinuation { continuation in
            queue.close { continuation.resume() }
        }
    }
}
