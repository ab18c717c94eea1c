import ConcordServer
import Foundation
import Testing

@Suite struct BatchProgressTests {
    @Test func `a long run that makes progress is not given up`() async {
        let clock = TestClock(), permits = DispatchSemaphore(value: 0)
        let (steps, stepped) = AsyncStream.makeStream(of: Void.self)
        let batcher = Batcher<Int, Int>(name: "test", options: .test(), now: { clock.now }) {
            items, run throws(ServingError) in
            for _ in 0..<3 {
                permits.wait()
                run.progress()
                stepped.yield()
            }
            run.finish(0, .success(items[0] * 10))
        }
        let task = Task { await outcome { () async throws(ServingError) in try await batcher.run(1, WorkContext()) } }
        var done = steps.makeAsyncIterator()
        for _ in 0..<3 {
            permits.signal()
            await done.next()
            clock.advance(by: .seconds(40))
            #expect(batcher.check() == nil)
        }
        #expect(await task.value == .success(10))
    }
}
