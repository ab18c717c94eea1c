import ConcordCore
import ConcordTensor
import Foundation
import Synchronization
import Testing

/// What each rank of a world, here on threads of one process, came to: a value or an error.
public func runRanks<Value: Sendable>(
    _ ranks: Int, _ body: @escaping @Sendable (ProcessGroup) throws -> Value
) throws -> [Result<Value, any Error>] {
    let port = try ProcessMembership.freePort()
    return try runThreads(ranks) { rank in
        let group = try ProcessGroup(
            host: "127.0.0.1", port: port, rank: rank, worldSize: ranks, timeout: 30, silence: 20)
        do {
            let value = try body(group)
            group.leave()
            return value
        } catch {
            group.leave(because: error)
            throw error
        }
    }
}

/// What each of several threads came to.
public func runThreads<Value: Sendable>(
    _ count: Int, _ body: @escaping @Sendable (Int) throws -> Value
) throws -> [Result<Value, any Error>] {
    let outcomes = Mutex<[Int: Result<Value, any Error>]>([:])
    let done = DispatchSemaphore(value: 0)
    for index in 0..<count {
        Thread {
            let outcome = Result { try body(index) }
            outcomes.withLock { $0[index] = outcome }
            done.signal()
        }.start()
    }
    for _ in 0..<count { done.wait() }
    return try (0..<count).map { index in try #require(outcomes.withLock { $0[index] }) }
}
