import ConcordCore
import ConcordTensor
import Foundation
import Synchronization
import Testing

/// What each rank of a world, here on threads of one process, came to: a value or an error.
func runRanks<Value: Sendable>(
    _ ranks: Int, _ body: @escaping @Sendable (ProcessGroup) throws -> Value
) throws -> [Result<Value, any Error>] {
    let port = try freePort()
    let outcomes = Mutex<[Int: Result<Value, any Error>]>([:])
    let done = DispatchSemaphore(value: 0)
    for rank in 0..<ranks {
        Thread {
            let outcome = Result {
                try body(ProcessGroup(host: "127.0.0.1", port: port, rank: rank, worldSize: ranks, timeout: 30))
            }
            outcomes.withLock { $0[rank] = outcome }
            done.signal()
        }.start()
    }
    for _ in 0..<ranks { done.wait() }
    return try (0..<ranks).map { rank in try #require(outcomes.withLock { $0[rank] }) }
}

/// A port that nobody listened on a moment ago.
func freePort() throws -> Int {
    let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(socket) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(socket, $0, length) == 0 ? getsockname(socket, $0, &length) : -1
        }
    }
    try #require(status == 0)
    return Int(UInt16(bigEndian: address.sin_port))
}
