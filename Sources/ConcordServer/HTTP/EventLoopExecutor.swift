import NIOCore

/// Runs tasks on the event loop of a connection, so that what arrives there is handled without waking another thread.
///
/// Wakes cost more than the work between them: a request that is refused is a dozen steps of a few microseconds, and
/// while models keep all cores busy each wake takes one of them from a run. What takes longer than a moment goes to
/// threads of its own, as it would from Swift's cooperative pool.
final class EventLoopExecutor: TaskExecutor {
    private let eventLoop: any EventLoop

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        // The closure keeps the executor, which the job does not.
        eventLoop.execute { [self] in job.runSynchronously(on: asUnownedTaskExecutor()) }
    }
}
