import ConcordCore

/// Prepares batches ahead on threads of its own and hands them out strictly in order.
///
/// One thread, the trainer's, calls ``next()``. The order and content of the batches do not depend on the number of
/// threads: batch `i` is `prepare(i)`. To resume, start the range at the next batch.
public final class PrefetchLoader<Batch: Sendable> {
    private let state: State

    /// Starts the threads.
    ///
    /// - Parameters:
    ///   - batches: the batches to prepare.
    ///   - threads: how many are prepared at once.
    ///   - ahead: how many may be ready or in preparation before they are asked for; bounds the memory.
    ///   - prepare: makes one batch; called from several threads at once.
    public init(
        batches: Range<Int>, threads: Int = 1, ahead: Int = 4, prepare: @escaping @Sendable (Int) throws -> Batch
    ) {
        precondition(threads > 0 && ahead > 0, "a loader needs threads and room, got \(threads) and \(ahead)")
        let state = State(batches: batches, ahead: ahead, threads: threads)
        self.state = state
        for index in 0..<threads {
            SystemThread.startOrEnd(name: "concord-loader-\(index)") { state.work(prepare) }
        }
    }

    deinit { state.stop() }

    /// The next batch; nil after the last one and after ``stop()``. Blocks until it is ready.
    ///
    /// Throws what `prepare` threw for this batch, when its turn comes; from then on every call throws it again.
    public func next() throws -> Batch? { try state.next { false } }

    /// As ``next()``, but nil as soon as `isStopped` says so, ten times a second asked: an image on a disk that does not
    /// answer must not keep a run from saving what it has.
    public func next(unless isStopped: () -> Bool) throws -> Batch? { try state.next(unless: isStopped) }

    /// Seconds that ``next()`` has waited so far: what the trainer lost to loading.
    package var waitSeconds: Double { state.waitSeconds }

    /// Ends the threads: returns when the last has finished the batch it was at. Nothing comes afterwards.
    public func stop() { state.stop() }

    /// The state that the threads share. They hold it and not the loader, so that the loader can go while they run.
    ///
    /// `@unchecked Sendable`: every mutable property is touched only while `condition` is locked.
    private final class State: @unchecked Sendable {
        private let condition = Condition()
        private let ahead: Int
        private let end: Int
        /// The next batch that a thread takes.
        private var nextToPrepare: Int
        /// The next batch that `next()` returns.
        private var nextToDeliver: Int
        private var ready: [Int: Result<Batch, any Error>] = [:]
        private var failure: (any Error)?
        private var isStopped = false
        private var runningThreads: Int
        private var waited = Duration.zero

        init(batches: Range<Int>, ahead: Int, threads: Int) {
            self.ahead = ahead
            end = batches.upperBound
            nextToPrepare = batches.lowerBound
            nextToDeliver = batches.lowerBound
            runningThreads = threads
        }

        var waitSeconds: Double { condition.locked { waited / .seconds(1) } }

        func work(_ prepare: @Sendable (Int) throws -> Batch) {
            while let index = take() {
                let result = Result { try prepare(index) }
                condition.locked {
                    ready[index] = result
                    condition.broadcast()
                }
            }
            condition.locked {
                runningThreads -= 1
                condition.broadcast()
            }
        }

        /// The index to prepare, as soon as there is room; nil when there is nothing left to do.
        private func take() -> Int? {
            condition.locked {
                while !isStopped && nextToPrepare < end && nextToPrepare >= nextToDeliver + ahead { condition.wait() }
                guard !isStopped && nextToPrepare < end else { return nil }
                nextToPrepare += 1
                return nextToPrepare - 1
            }
        }

        func next(unless isOver: () -> Bool) throws -> Batch? {
            try condition.locked {
                if let failure { throw failure }
                guard nextToDeliver < end else { return nil }
                let start = ContinuousClock.now
                while !isStopped && ready[nextToDeliver] == nil {
                    if isOver() { return nil }
                    _ = condition.wait(for: .milliseconds(100))
                }
                waited += ContinuousClock.now - start
                guard !isStopped, let result = ready.removeValue(forKey: nextToDeliver) else { return nil }
                nextToDeliver += 1
                condition.broadcast()
                if case .failure(let error) = result {
                    failure = error
                    isStopped = true
                }
                return try result.get()
            }
        }

        func stop() {
            condition.locked {
                isStopped = true
                ready = [:]
                condition.broadcast()
                while runningThreads > 0 { condition.wait() }
                ready = [:]
            }
        }
    }
}
