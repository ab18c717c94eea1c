/// Threads that do one piece of work after another, in the order in which it came, off Swift's cooperative pool.
///
/// When this object is released, the work given so far is still done, and the threads end.
package final class WorkerThreads: Sendable {
    private let queue = Queue()

    package init(count: Int, name: String) {
        for index in 0..<count {
            SystemThread.startOrEnd(name: "\(name)-\(index)") { [queue] in
                while let work = queue.next() { work() }
            }
        }
    }

    deinit { queue.finish() }

    /// Runs `work` on a thread, after the work given before it.
    package func add(_ work: @escaping @Sendable () -> Void) { queue.add(work) }

    /// Runs `work` on a thread, and awaits its result.
    package func run<Value: Sendable, Failure: Error>(
        _ work: @escaping @Sendable () throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let result: Result<Value, Failure> = await withCheckedContinuation { continuation in
            queue.add { continuation.resume(returning: Result { () throws(Failure) in try work() }) }
        }
        return try result.get()
    }

    /// The state of the threads, separate so that their owner can go while they work.
    ///
    /// `@unchecked Sendable`: every mutable property is touched only while `condition` is locked.
    private final class Queue: @unchecked Sendable {
        private let condition = Condition()
        private var waiting = Deque<@Sendable () -> Void>()
        private var isFinished = false

        func add(_ work: @escaping @Sendable () -> Void) {
            condition.locked {
                waiting.append(work)
                condition.signal()
            }
        }

        /// The next piece of work; `nil` when there is none and none will come.
        func next() -> (@Sendable () -> Void)? {
            condition.locked {
                while waiting.isEmpty {
                    if isFinished { return nil }
                    condition.wait()
                }
                return waiting.popFirst()
            }
        }

        func finish() {
            condition.locked {
                isFinished = true
                condition.broadcast()
            }
        }
    }
}

/// Work on a separate thread, for callers that block until it is done.
///
/// `@unchecked Sendable`: `result` is touched only while `condition` is locked.
package final class BackgroundWork<Value: Sendable>: @unchecked Sendable {
    private let condition = Condition()
    private var result: Result<Value, ConcordError>?

    package init(_ work: @escaping @Sendable () throws(ConcordError) -> Value) {
        do throws(ConcordError) {
            try SystemThread.start(name: "concord-background") { [self] in
                end(Result { () throws(ConcordError) in try work() })
            }
        } catch {
            end(.failure(error))
        }
    }

    private func end(_ result: Result<Value, ConcordError>) {
        condition.locked {
            self.result = result
            condition.broadcast()
        }
    }

    /// Blocks until the work is done. Throws what it threw.
    package func value() throws(ConcordError) -> Value {
        let known = condition.locked {
            while true {
                if let result { return result }
                condition.wait()
            }
        }
        return try known.get()
    }
}
