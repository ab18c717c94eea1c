import ConcordServer
import Synchronization
import Testing

@Suite struct BatcherTests {
    private func make(
        _ work: StepwiseWork, buckets: [Int] = [1, 2, 4, 8], capacity: Int = 1000, bulkShare: Double = 0.25,
        longestRun: Duration? = nil, gathering: Double = 0, clock: TestClock = TestClock()
    ) -> Batcher<Int, Int> {
        Batcher(
            name: "test",
            options: .test(
                buckets: buckets, capacity: capacity, bulkShare: bulkShare, longestRun: longestRun,
                gathering: gathering),
            now: { clock.now },
            work: { items, run throws(ServingError) in work(items, run) })
    }

    /// Queues items one after the other, so that their order is known.
    private func queue(
        _ items: some Sequence<Int>, _ batcher: Batcher<Int, Int>, priority: Priority = .interactive,
        deadline: ContinuousClock.Instant? = nil
    ) async -> [Task<Result<Int, ServingError>, Never>] {
        var tasks = [Task<Result<Int, ServingError>, Never>]()
        for item in items {
            let before = batcher.waitingCount
            let context = WorkContext(priority: priority, deadline: deadline)
            tasks.append(
                Task { await outcome { () async throws(ServingError) in try await batcher.run(item, context) } })
            await batcher.waitForQueue(before + 1)
        }
        return tasks
    }

    /// Has a run under way, with item 0.
    private func occupy(
        _ batcher: Batcher<Int, Int>, _ runs: inout AsyncStream<[Int]>.AsyncIterator
    ) async -> Task<Result<Int, ServingError>, Never> {
        let task = Task {
            await outcome { () async throws(ServingError) in try await batcher.run(0, WorkContext()) }
        }
        let items = await runs.next()
        #expect(items == [0])
        await batcher.waitForQueue(0)
        return task
    }

    @Test(arguments: 1...21) func `every number of items is answered, each with its own result`(_ count: Int) async {
        let sizes = Mutex<[Int]>([])
        let batcher = Batcher<Int, Int>(
            name: "test", options: .test(buckets: [1, 2, 4, 8], workers: 3)
        ) { items, run throws(ServingError) in
            sizes.withLock { $0.append(items.count) }
            for (index, item) in items.enumerated() { run.finish(index, .success(-item)) }
        }
        await withTaskGroup(of: Void.self) { group in
            for item in 0..<count {
                group.addTask {
                    #expect(
                        (try? await batcher.run(item, WorkContext(priority: item % 3 == 0 ? .bulk : .interactive)))
                            == -item
                    )
                }
            }
        }
        let found = sizes.withLock { $0 }
        #expect(Set(found).isSubset(of: [1, 2, 4, 8]))
        #expect(found.reduce(0, +) == count)
    }

    @Test func `a free worker takes what waits, in full buckets`() async {
        let work = StepwiseWork(), batcher = make(work)
        var runs = work.runs.makeAsyncIterator()
        var tasks = [await occupy(batcher, &runs)]
        tasks += await queue(1...7, batcher)
        work.proceed(4)
        #expect(await runs.next() == [1, 2, 3, 4])
        #expect(await runs.next() == [5, 6])
        #expect(await runs.next() == [7])
        for (item, task) in tasks.enumerated() { #expect(await task.value == .success(item * 10)) }
        #expect(batcher.meanBatch == 2)
    }

    @Test func `a run has no more items than are done in the time of the longest`() async {
        let work = StepwiseWork(), clock = TestClock()
        let batcher = make(work, longestRun: .milliseconds(500), clock: clock)
        var runs = work.runs.makeAsyncIterator()
        var tasks = [await occupy(batcher, &runs)]
        tasks += await queue(1...11, batcher)
        // One item in 0.1 s: five in half a second, of which a bucket takes four, though eleven are waiting.
        clock.advance(by: .milliseconds(100))
        work.proceed(1)
        #expect(await runs.next() == [1, 2, 3, 4])
        // Four more in no time: 0.08 s an item from then on, six in half a second.
        work.proceed(1)
        #expect(await runs.next() == [5, 6, 7, 8])
        work.proceed(4)
        for task in tasks { _ = await task.value }
    }

    @Test func `two items share a run however long it takes`() async {
        let work = StepwiseWork(), clock = TestClock()
        let batcher = make(work, longestRun: .milliseconds(500), clock: clock)
        var runs = work.runs.makeAsyncIterator()
        var tasks = [await occupy(batcher, &runs)]
        tasks += await queue(1...4, batcher)
        clock.advance(by: .seconds(10))
        work.proceed(1)
        #expect(await runs.next() == [1, 2])
        work.proceed(2)
        for task in tasks { _ = await task.value }
    }

    /// A batcher whose runs take a second, and whose worker waits up to 0.1 s for items on their way.
    private func gathering(
        _ work: StepwiseWork, _ clock: TestClock, _ runs: inout AsyncStream<[Int]>.AsyncIterator
    ) async -> Batcher<Int, Int> {
        let batcher = make(work, gathering: 0.1, clock: clock)
        let first = await occupy(batcher, &runs)
        clock.advance(by: .seconds(1))
        work.proceed(1)
        _ = await first.value
        return batcher
    }

    @Test(.timeLimit(.minutes(1))) func `a worker that gathers waits for what is on its way`() async throws {
        let work = StepwiseWork(), clock = TestClock()
        var runs = work.runs.makeAsyncIterator()
        let batcher = await gathering(work, clock, &runs)
        let second = try batcher.admit(WorkContext()), third = try batcher.admit(WorkContext())
        let task = Task { try? await batcher.run(1, WorkContext()) }
        while batcher.waitingCount != 1 { await Task.yield() }
        let late = Task { try? await batcher.run(2, ticket: second, WorkContext()) }
        while batcher.waitingCount != 2 { await Task.yield() }
        // What does not come after all is not waited for.
        third.release()
        #expect(await runs.next() == [1, 2])
        work.proceed(1)
        _ = await (task.value, late.value)
    }

    @Test(.timeLimit(.minutes(1))) func `a worker does not gather for longer than it may`() async throws {
        let work = StepwiseWork(), clock = TestClock()
        var runs = work.runs.makeAsyncIterator()
        let batcher = await gathering(work, clock, &runs)
        let ticket = try batcher.admit(WorkContext())
        let task = Task { try? await batcher.run(1, WorkContext()) }
        while batcher.waitingCount != 1 { await Task.yield() }
        clock.advance(by: .milliseconds(100))
        #expect(await runs.next() == [1])
        ticket.release()
        work.proceed(1)
        _ = await task.value
    }

    @Test(.timeLimit(.minutes(1))) func `workers that are free share what waits`() async throws {
        let work = StepwiseWork(), clock = TestClock()
        // They gather, so that both are free while items come.
        let batcher = Batcher<Int, Int>(
            name: "test", options: .test(buckets: [1, 2, 4, 8], workers: 2, gathering: 0.1),
            now: { clock.now }
        ) { items, run throws(ServingError) in
            work(items, run)
        }
        var runs = work.runs.makeAsyncIterator()
        let first = await occupy(batcher, &runs)
        clock.advance(by: .seconds(1))
        work.proceed(1)
        _ = await first.value
        while batcher.idleWorkerCount != 2 { await Task.yield() }
        let ticket = try batcher.admit(WorkContext())
        let tasks = (1...4).map { item in Task { try? await batcher.run(item, WorkContext()) } }
        while batcher.waitingCount != 4 { await Task.yield() }
        ticket.release()
        #expect(await runs.next()?.count == 2)
        #expect(await runs.next()?.count == 2)
        work.proceed(2)
        for task in tasks { _ = await task.value }
    }

    @Test func `a worker that is busy is not waited for`() async {
        let work = StepwiseWork()
        let batcher = Batcher<Int, Int>(
            name: "test", options: .test(buckets: [1, 2, 4, 8], workers: 2)
        ) { items, run throws(ServingError) in
            work(items, run)
        }
        var runs = work.runs.makeAsyncIterator()
        // Both are busy; the first to be free has to take all, because the other one is not.
        let first = Task { try? await batcher.run(0, WorkContext()) }
        #expect(await runs.next() == [0])
        let second = Task { try? await batcher.run(0, WorkContext()) }
        #expect(await runs.next() == [0])
        let tasks = await queue(1...8, batcher)
        work.proceed(3)
        #expect(await runs.next()?.count == 8)
        for task in tasks { _ = await task.value }
        _ = await (first.value, second.value)
    }

    @Test func `the bulk lane has its share of every run, and all of what is left`() async {
        let work = StepwiseWork(), batcher = make(work, buckets: [1, 2, 4])
        var runs = work.runs.makeAsyncIterator()
        var tasks = [await occupy(batcher, &runs)]
        tasks += await queue(101...109, batcher, priority: .bulk)
        tasks += await queue(1...6, batcher)
        work.proceed(9)
        #expect(await runs.next() == [1, 2, 3, 101])
        #expect(await runs.next() == [4, 5, 6, 102])
        #expect(await runs.next() == [103, 104, 105, 106])
        for task in tasks { #expect(await task.value.kind == nil) }
    }

    @Test func `runs of one item owe the bulk lane its share, too`() async {
        let work = StepwiseWork(), batcher = make(work, buckets: [1])
        var runs = work.runs.makeAsyncIterator()
        var tasks = [await occupy(batcher, &runs)]
        tasks += await queue(101...104, batcher, priority: .bulk)
        tasks += await queue(1...8, batcher)
        work.proceed(20)
        var order = [Int]()
        for _ in 0..<8 { order += await runs.next() ?? [] }
        #expect(order == [1, 2, 3, 101, 4, 5, 6, 102])
        for task in tasks { #expect(await task.value.kind == nil) }
    }

    @Test func `an item that cannot make its deadline is refused at once, with the time to wait`() async throws {
        let work = StepwiseWork(), clock = TestClock(), batcher = make(work, buckets: [1], clock: clock)
        var runs = work.runs.makeAsyncIterator()
        // The first run teaches that an item takes 2 seconds.
        let first = await occupy(batcher, &runs)
        clock.advance(by: .seconds(2))
        work.proceed()
        _ = await first.value
        while batcher.meanBatch == nil { await Task.yield() }
        let second = await occupy(batcher, &runs)
        let tasks = await queue(1...3, batcher)
        func admit(within seconds: Int) async -> Result<QueueSlot, ServingError> {
            let context = WorkContext(deadline: clock.now + .seconds(seconds))
            return await outcome { () async throws(ServingError) in try batcher.admit(context) }
        }
        let late = await admit(within: 9)
        #expect(late.kind == .overloaded)
        #expect(late.retryAfter == .seconds(8))
        // Four before it and its own run.
        #expect(await admit(within: 10).kind == nil)
        #expect(await admit(within: 0).kind == .deadlineExceeded)
        work.proceed(4)
        for task in tasks + [second] { #expect(await task.value.kind == nil) }
    }

    @Test func `an item whose deadline passes while it waits is not run`() async {
        let work = StepwiseWork(), clock = TestClock(), batcher = make(work, clock: clock)
        var runs = work.runs.makeAsyncIterator()
        let first = await occupy(batcher, &runs)
        let late = await queue([1], batcher, deadline: clock.now + .seconds(10))
        let other = await queue([2], batcher)
        clock.advance(by: .seconds(11))
        work.proceed(2)
        #expect(await late[0].value.kind == .deadlineExceeded)
        #expect(await runs.next() == [2])
        #expect(await other[0].value == .success(20))
        _ = await first.value
    }

    @Test func `a cancelled item is answered at once and not run`() async {
        let work = StepwiseWork(), batcher = make(work)
        var runs = work.runs.makeAsyncIterator()
        let first = await occupy(batcher, &runs)
        let tasks = await queue(1...3, batcher)
        tasks[1].cancel()
        #expect(await tasks[1].value.kind == .cancelled)
        #expect(batcher.queuedCount == 2)
        // One that is under way is answered, too; its result is dropped.
        first.cancel()
        #expect(await first.value.kind == .cancelled)
        work.proceed(2)
        #expect(await runs.next() == [1, 3])
        #expect(await tasks[2].value == .success(30))
    }

    @Test func `an item that fails does not fail its neighbours`() async {
        let work = StepwiseWork()
        let tried = Mutex<[[Int]]>([])
        let batcher = Batcher<Int, Int>(
            name: "test", options: .test(buckets: [1, 2, 4])
        ) { items, run throws(ServingError) in
            tried.withLock { $0.append(items) }
            if items.contains(13) { throw ServingError(.failed, "unlucky") }
            work(items, run)
        }
        var runs = work.runs.makeAsyncIterator()
        let first = await occupy(batcher, &runs)
        let tasks = await queue(11...14, batcher)
        work.proceed(4)
        #expect(await first.value == .success(0))
        #expect(await tasks[2].value == .failure(ServingError(.failed, "unlucky")))
        for index in [0, 1, 3] { #expect(await tasks[index].value == .success((11 + index) * 10)) }
        #expect(tried.withLock { $0 } == [[0], [11, 12, 13, 14], [11], [12], [13], [14]])
    }

    @Test func `a full queue refuses with a time within what clients follow`() async {
        let work = StepwiseWork(), batcher = make(work, capacity: 2)
        var runs = work.runs.makeAsyncIterator()
        let first = await occupy(batcher, &runs)
        let tasks = await queue(1...2, batcher)
        let refused = await outcome { () async throws(ServingError) in try await batcher.run(3, WorkContext()) }
        #expect(refused.kind == .overloaded)
        #expect(refused.retryAfter == .seconds(1))
        work.proceed(3)
        for task in tasks + [first] { #expect(await task.value.kind == nil) }
    }

    @Test func `a run that is stuck is given up, and another thread goes on`() async {
        let work = StepwiseWork(), clock = TestClock(), batcher = make(work, clock: clock)
        var runs = work.runs.makeAsyncIterator()
        let stuck = await occupy(batcher, &runs)
        #expect(batcher.check() == nil)
        let waiting = await queue([1], batcher)
        clock.advance(by: .seconds(61))
        #expect(batcher.check() != nil)
        #expect(await stuck.value.kind == .overloaded)
        #expect(await runs.next() == [1])
        // Both may go on; the one that was given up has nobody to answer.
        work.proceed(2)
        #expect(await waiting[0].value == .success(10))
        while batcher.check() != nil { await Task.yield() }
    }

    @Test func `what goes first is before all others`() async {
        let work = StepwiseWork(), batcher = make(work, buckets: [1])
        var runs = work.runs.makeAsyncIterator()
        var tasks = [await occupy(batcher, &runs)]
        tasks += await queue(1...2, batcher)
        tasks.append(
            Task {
                await outcome { () async throws(ServingError) in
                    try await batcher.run(3, goesFirst: true, WorkContext())
                }
            })
        await batcher.waitForQueue(3)
        work.proceed(4)
        for item in [3, 1, 2] { #expect(await runs.next() == [item]) }
        for task in tasks { #expect(await task.value.kind == nil) }
    }

    @Test func `closing finishes what was accepted and refuses the rest`() async throws {
        let work = StepwiseWork(), batcher = make(work)
        var runs = work.runs.makeAsyncIterator()
        var tasks = [await occupy(batcher, &runs)]
        tasks += await queue(1...3, batcher)
        let ticket = try batcher.admit(WorkContext())
        let isClosed = Mutex(false)
        let closing = Task {
            await batcher.close()
            isClosed.withLock { $0 = true }
        }
        while await outcome({ () async throws(ServingError) in try batcher.admit(WorkContext()) }).kind != .overloaded {
            await Task.yield()
        }
        work.proceed(10)
        for (item, task) in tasks.enumerated() { #expect(await task.value == .success(item * 10)) }
        // The place that was given out is waited for.
        #expect(!isClosed.withLock { $0 })
        #expect(try await batcher.run(9, ticket: ticket, WorkContext()) == 90)
        await closing.value
        let late = await outcome { () async throws(ServingError) in try await batcher.run(5, WorkContext()) }
        #expect(late.retryAfter != nil)
    }

    @Test func `a place is free again when its ticket goes`() async throws {
        let batcher = make(StepwiseWork(), capacity: 1)
        do {
            let ticket = try batcher.admit(WorkContext())
            #expect(throws: ServingError.self) { _ = try batcher.admit(WorkContext()) }
            withExtendedLifetime(ticket) {}
        }
        _ = try batcher.admit(WorkContext())
        #expect(batcher.queuedCount == 0)
    }
}
