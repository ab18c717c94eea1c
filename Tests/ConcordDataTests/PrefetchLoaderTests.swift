import ConcordData
import Dispatch
import Foundation
import Synchronization
import Testing

@Suite struct PrefetchLoaderTests {
    private struct Broken: Error, Equatable { let batch: Int }

    private func all(_ loader: PrefetchLoader<Int>) throws -> [Int] {
        var batches: [Int] = []
        while let batch = try loader.next() { batches.append(batch) }
        return batches
    }

    @Test(arguments: [1, 2, 5], [1, 3, 100])
    func deliversInOrder(_ threads: Int, _ ahead: Int) throws {
        let loader = PrefetchLoader(batches: 3..<60, threads: threads, ahead: ahead) { index in
            // Uneven work, so that later batches are ready before earlier ones.
            if index % 3 == 0 { usleep(500) }
            return index * 10
        }
        #expect(try all(loader) == (3..<60).map { $0 * 10 })
        #expect(try loader.next() == nil)
        #expect(loader.waitSeconds > 0)
    }

    @Test func resumesAtAnyBatch() throws {
        let whole = try all(PrefetchLoader(batches: 0..<20, threads: 2) { $0 * $0 })
        #expect(try all(PrefetchLoader(batches: 7..<20, threads: 3) { $0 * $0 }) == Array(whole[7...]))
    }

    @Test func anErrorComesInItsTurnAndStays() throws {
        let loader = PrefetchLoader(batches: 0..<10, threads: 3) { index in
            if index >= 4 { throw Broken(batch: index) }
            return index
        }
        for expected in 0..<4 { #expect(try loader.next() == expected) }
        #expect(throws: Broken(batch: 4)) { try loader.next() }
        #expect(throws: Broken(batch: 4)) { try loader.next() }
    }

    @Test func neverPreparesMoreThanAhead() throws {
        let started = Mutex(0)
        let loader = PrefetchLoader(batches: 0..<50, threads: 4, ahead: 3) { index in
            started.withLock { $0 += 1 }
            return index
        }
        for delivered in 1...50 {
            #expect(try loader.next() == delivered - 1)
            #expect(started.withLock { $0 } <= delivered + 3)
        }
    }

    @Test func aBatchThatDoesNotComeIsNotWaitedForForever() throws {
        let gate = DispatchSemaphore(value: 0), isOver = Mutex(false)
        let loader = PrefetchLoader(batches: 0..<3, ahead: 1) { index in
            if index == 1 { gate.wait() }
            return index
        }
        #expect(try loader.next { isOver.withLock { $0 } } == 0)
        // Asked again and again while the batch is not there.
        var asked = 0
        let batch = try loader.next {
            asked += 1
            return asked > 2
        }
        #expect(batch == nil && asked == 3)
        // Nothing is lost: the batch comes when it can.
        gate.signal()
        #expect(try loader.next { false } == 1)
        #expect(try loader.next() == 2)
    }

    @Test func stoppingEarlyEndsTheThreads() throws {
        let running = Mutex(0)
        let loader = PrefetchLoader(batches: 0..<1000, threads: 3, ahead: 2) { index in
            running.withLock { $0 += 1 }
            defer { running.withLock { $0 -= 1 } }
            usleep(1000)
            return index
        }
        #expect(try loader.next() == 0)
        loader.stop()
        #expect(running.withLock { $0 } == 0)
        #expect(try loader.next() == nil)
        loader.stop()
    }

    @Test func lettingGoOfTheLoaderEndsTheThreads() throws {
        // Each thread holds the closure, and with it the token, until it ends.
        final class Token: Sendable {
            let ended: DispatchSemaphore
            init(_ ended: DispatchSemaphore) { self.ended = ended }
            deinit { ended.signal() }
        }
        let ended = DispatchSemaphore(value: 0)
        func useBriefly() throws {
            let strong = Token(ended)
            let loader = PrefetchLoader(batches: 0..<1000, threads: 2) { index in
                withExtendedLifetime(strong) { index }
            }
            _ = try loader.next()
        }
        try useBriefly()
        // Waits for ever if a thread keeps its closure.
        ended.wait()
    }

    @Test func anEmptyRangeIsOver() throws {
        #expect(try PrefetchLoader(batches: 5..<5) { $0 }.next() == nil)
    }
}
