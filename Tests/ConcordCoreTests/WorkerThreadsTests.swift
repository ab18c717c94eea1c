import ConcordCore
import Foundation
import Synchronization
import Testing

@Suite struct WorkerThreadsTests {
    @Test func oneThreadKeepsTheOrder() async {
        let threads = WorkerThreads(count: 1, name: "test")
        let seen = Mutex<[Int]>([])
        for index in 0..<3000 { threads.add { seen.withLock { $0.append(index) } } }
        await threads.run {}
        #expect(seen.withLock { $0 } == Array(0..<3000))
    }

    @Test func whatWasGivenIsDoneAlsoWhenTheOwnerGoes() async {
        let done = Atomic(0)
        await withCheckedContinuation { continuation in
            let threads = WorkerThreads(count: 1, name: "test")
            for _ in 0..<100 { threads.add { done.add(1, ordering: .relaxed) } }
            threads.add { continuation.resume() }
        }
        #expect(done.load(ordering: .relaxed) == 100)
    }

    @Test func errorsComeBackTyped() async {
        let threads = WorkerThreads(count: 2, name: "test")
        do throws(ConcordError) {
            try await threads.run { () throws(ConcordError) in throw ConcordError(.invalidArgument, "no") }
            Issue.record("no error came")
        } catch {
            #expect(error.code == .invalidArgument)
        }
        let isMain = await threads.run { Thread.isMainThread }
        #expect(!isMain)
    }
}
