import ConcordServer
import Testing

@Suite struct LimitTests {
    @Test func `items are let in by rate and burst, and refused with the time until they fit`() throws {
        let clock = TestClock(), limiter = RateLimiter(now: { clock.now })
        let limits = CallerLimits(itemsPerSecond: 2, burst: 4)
        let state = try limiter.admit(caller: "a", limits: limits, items: 3)
        #expect(state?.limit == 4 && state?.remaining == 1 && state?.reset == .seconds(1.5))
        let refused = #expect(throws: ServingError.self) { try limiter.admit(caller: "a", limits: limits, items: 2) }
        #expect(refused?.kind == .quotaExceeded)
        #expect(refused?.retryAfter == .seconds(0.5))
        // Another caller has its own.
        try limiter.admit(caller: "b", limits: limits, items: 4)
        clock.advance(by: .seconds(0.5))
        #expect(try limiter.admit(caller: "a", limits: limits, items: 2)?.remaining == 0)
        clock.advance(by: .seconds(3600))
        #expect(try limiter.admit(caller: "a", limits: limits, items: 1)?.remaining == 3)
    }

    @Test func `a request above the burst is let in when the bucket is full, and owes the rest`() throws {
        let clock = TestClock(), limiter = RateLimiter(now: { clock.now })
        let limits = CallerLimits(itemsPerSecond: 1, burst: 2)
        try limiter.admit(caller: "a", limits: limits, items: 10)
        let refused = #expect(throws: ServingError.self) { try limiter.admit(caller: "a", limits: limits, items: 1) }
        #expect(refused?.retryAfter == .seconds(9))
    }

    @Test func `pixels are owed, and the next request waits for them`() throws {
        let clock = TestClock(), limiter = RateLimiter(now: { clock.now })
        let limits = CallerLimits(pixelsPerSecond: 100)
        #expect(try limiter.admit(caller: "a", limits: limits, items: 1) == nil)
        limiter.charge(caller: "a", limits: limits, pixels: 1500)
        let refused = #expect(throws: ServingError.self) { try limiter.admit(caller: "a", limits: limits, items: 1) }
        #expect(refused?.retryAfter == .seconds(5))
        clock.advance(by: .seconds(5))
        try limiter.admit(caller: "a", limits: limits, items: 1)
    }

    /// Requests that overtake each other on their way to the bucket, or a clock that is set back, earn nothing.
    @Test func `no time counts twice`() throws {
        let clock = TestClock(), limiter = RateLimiter(now: { clock.now })
        let limits = CallerLimits(itemsPerSecond: 1, burst: 10)
        try limiter.admit(caller: "a", limits: limits, items: 10)
        for _ in 0..<20 {
            clock.advance(by: .seconds(-5))
            #expect(throws: ServingError.self) { try limiter.admit(caller: "a", limits: limits, items: 1) }
            clock.advance(by: .seconds(5))
            #expect(throws: ServingError.self) { try limiter.admit(caller: "a", limits: limits, items: 1) }
        }
        clock.advance(by: .seconds(2))
        #expect(try limiter.admit(caller: "a", limits: limits, items: 1)?.remaining == 1)
    }

    @Test func `a rate that is next to nothing makes no endless wait`() throws {
        for limits in [
            CallerLimits(itemsPerSecond: 1e-300, burst: 1), CallerLimits(itemsPerSecond: .leastNonzeroMagnitude),
            CallerLimits(pixelsPerSecond: 1e-300),
        ] {
            let limiter = RateLimiter()
            try limiter.admit(caller: "a", limits: limits, items: 1)
            limiter.charge(caller: "a", limits: limits, pixels: .max)
            _ = try? limiter.admit(caller: "a", limits: limits, items: .max)
            let refused = #expect(throws: ServingError.self) {
                try limiter.admit(caller: "a", limits: limits, items: 2)
            }
            #expect(refused?.retryAfter.map { $0 <= .seconds(1e9) } == true)
        }
    }

    @Test func `without limits nothing is refused`() throws {
        let limiter = RateLimiter()
        for _ in 0..<100 { #expect(try limiter.admit(caller: "a", limits: CallerLimits(), items: 1000) == nil) }
        limiter.charge(caller: "a", limits: CallerLimits(), pixels: .max)
        try limiter.admit(caller: "a", limits: CallerLimits(), items: 1)
    }

    @Test func `bytes are given first come first served`() async throws {
        let budget = ByteBudget(capacity: 100)
        var first: ByteBudget.Grant? = try await budget.acquire(60)
        let large = Task { try await budget.acquire(80) }
        while budget.waitingCount < 1 { await Task.yield() }
        // It would fit, but came later.
        let small = Task { try await budget.acquire(20) }
        while budget.waitingCount < 2 { await Task.yield() }
        #expect(budget.used == 60)
        first?.shrink(to: 30)
        #expect(budget.used == 30)
        withExtendedLifetime(first) {}
        first = nil
        let grants = try await (large.value, small.value)
        #expect(budget.used == 100)
        withExtendedLifetime(grants) {}
    }

    @Test func `more bytes than there are at all are refused at once`() async {
        let budget = ByteBudget(capacity: 100)
        let refused = await outcome { () async throws(ServingError) in try await budget.acquire(101) }
        #expect(refused.kind == .tooLarge)
    }

    @Test func `those behind one that is cancelled do not wait for it`() async throws {
        let budget = ByteBudget(capacity: 100)
        let first = try await budget.acquire(60)
        let large = Task { try await budget.acquire(80) }
        while budget.waitingCount < 1 { await Task.yield() }
        let small = Task { try await budget.acquire(40) }
        while budget.waitingCount < 2 { await Task.yield() }
        large.cancel()
        await #expect(throws: ServingError.self) { _ = try await large.value }
        let grant = try await small.value
        #expect(budget.used == 100)
        withExtendedLifetime((first, grant)) {}
    }

    @Test func `a task that is cancelled already gets no bytes, and none are lost`() async {
        let budget = ByteBudget(capacity: 100)
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return await outcome { () async throws(ServingError) in try await budget.acquire(50) }.kind
        }
        #expect(await task.value == .cancelled)
        #expect(budget.used == 0)
    }
}
