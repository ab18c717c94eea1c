import ConcordServer
import Synchronization
import Testing

@Suite struct SharedWorkTests {
    /// Work that ends when the test says so.
    private final class Gate: Sendable {
        let (started, start) = AsyncStream.makeStream(of: Void.self)
        let (opened, opening) = AsyncStream.makeStream(of: Void.self)
        let runs = Mutex(0)

        /// Nil when it was cancelled.
        func pass() async -> Int? {
            runs.withLock { $0 += 1 }
            start.yield()
            for await _ in opened { return 42 }
            return nil
        }
    }

    @Test func `equal work is done once`() async {
        let flights = SingleFlight<String, Int>(), gate = Gate()
        let tasks = (0..<5).map { _ in
            Task { try? await flights.value(for: "a") { () async throws(ServingError) in await gate.pass() ?? 0 } }
        }
        while flights.waiterCount != 5 { await Task.yield() }
        gate.opening.yield()
        for task in tasks { #expect(await task.value == 42) }
        #expect(gate.runs.withLock { $0 } == 1)
        #expect(flights.waiterCount == 0)
    }

    @Test func `work goes on while anybody waits, and ends when nobody does`() async {
        let flights = SingleFlight<String, Int>(), gate = Gate()
        func task() -> Task<Result<Int, ServingError>, Never> {
            Task {
                await outcome { () async throws(ServingError) in
                    try await flights.value(for: "a") { () async throws(ServingError) in
                        guard let value = await gate.pass() else { throw ServingError(.cancelled, "") }
                        return value
                    }
                }
            }
        }
        let first = task(), second = task()
        while flights.waiterCount != 2 { await Task.yield() }
        first.cancel()
        while flights.waiterCount != 1 { await Task.yield() }
        second.cancel()
        #expect(await second.value.kind == .cancelled)
        #expect(await first.value.kind == .cancelled)
        #expect(gate.runs.withLock { $0 } == 1)
    }

    @Test func `what fails for another's reasons is tried again, what fails for the input is not`() async {
        for (kind, runs) in [(ServingError.Kind.deadlineExceeded, 2), (.invalidInput, 1)] {
            let flights = SingleFlight<String, Int>(), gate = Gate()
            func task(fails: Bool) -> Task<Result<Int, ServingError>, Never> {
                Task {
                    await outcome { () async throws(ServingError) in
                        try await flights.value(for: "a") { () async throws(ServingError) in
                            guard fails else {
                                return gate.runs.withLock {
                                    $0 += 1; return 7
                                }
                            }
                            _ = await gate.pass()
                            throw ServingError(kind, "")
                        }
                    }
                }
            }
            let first = task(fails: true)
            while flights.waiterCount != 1 { await Task.yield() }
            let second = task(fails: false)
            while flights.waiterCount != 2 { await Task.yield() }
            gate.opening.yield()
            #expect(await first.value.kind == kind)
            #expect(await second.value == (runs == 2 ? .success(7) : .failure(ServingError(kind, ""))))
            #expect(gate.runs.withLock { $0 } == runs)
        }
    }

    @Test func `the values used last are kept`() {
        let values = LRUCache<Int, String>(capacity: 3)
        for key in 1...3 { values.insert("\(key)", for: key) }
        #expect(values[1] == "1")
        values.insert("4", for: 4)
        #expect(values[2] == nil)
        #expect([1, 3, 4].allSatisfy { values[$0] == "\($0)" })
        let none = LRUCache<Int, String>(capacity: 0)
        none.insert("1", for: 1)
        #expect(none[1] == nil)
    }
}
