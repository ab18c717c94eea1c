import ConcordCore
import ConcordRuntime
import ConcordServer
import ConcordTestSupport
import Foundation
import Synchronization
import Testing

/// Which fetches wait for which.
@Suite struct FetchSlotsTests {
    /// Names that are looked up until a test lets them go, and lead nowhere then.
    private final class SlowHosts: Sendable {
        let started: AsyncStream<String>
        private let continuation: AsyncStream<String>.Continuation
        private let gate = DispatchSemaphore(value: 0)
        private let current = Mutex<[String: Int]>([:]), most = Mutex<[String: Int]>([:])

        init() { (started, continuation) = AsyncStream.makeStream(of: String.self) }

        /// How many asked a host at once, at most.
        func mostAtOnce(_ host: String) -> Int { most.withLock { $0[host] ?? 0 } }

        func letGo(_ count: Int) { for _ in 0..<count { gate.signal() } }

        func fetcher(_ change: (inout ImageFetchOptions) -> Void) throws -> ImageFetcher {
            var options = ImageFetchOptions()
            options.timeout = .seconds(60)
            change(&options)
            return try ImageFetcher(
                options: options,
                resolver: HostResolver { [self] name in
                    let host = name.hasSuffix(".") ? String(name.dropLast()) : name
                    let count = current.withLock { current in
                        current[host, default: 0] += 1
                        return current[host] ?? 0
                    }
                    most.withLock { $0[host] = max($0[host] ?? 0, count) }
                    continuation.yield(host)
                    gate.wait()
                    current.withLock { $0[host, default: 0] -= 1 }
                    return []
                })
        }
    }

    private func code(_ fetcher: ImageFetcher, _ url: String, in time: Duration? = nil) async -> ConcordError.Code? {
        do throws(ConcordError) {
            _ = try await fetcher.fetch(url, deadline: time.map { ContinuousClock.now + $0 })
            return nil
        } catch { return error.code }
    }

    @Test func aSlowHostLeavesPlacesToOthers() async throws {
        let hosts = SlowHosts()
        let fetcher = try hosts.fetcher { ($0.concurrentFetches, $0.concurrentFetchesPerHost) = (4, 2) }
        var started = hosts.started.makeAsyncIterator()
        let slow = (0..<8).map { index in
            // The same host in other words.
            Task { await code(fetcher, index.isMultiple(of: 2) ? "http://slow.test/\(index)" : "https://SLOW.test./") }
        }
        for _ in 0..<2 { #expect(await started.next() == "slow.test") }
        while fetcher.waitingCount < 6 { await Task.yield() }
        let other = Task { await code(fetcher, "http://other.test/") }
        #expect(await started.next() == "other.test")
        hosts.letGo(9)
        for task in slow + [other] { #expect(await task.value == .fetch) }
        #expect(hosts.mostAtOnce("slow.test") == 2)
        #expect(fetcher.waitingCount == 0)
    }

    @Test func nobodyWaitsLongerThanItMay() async throws {
        let hosts = SlowHosts(), fetcher = try hosts.fetcher { $0.concurrentFetchesPerHost = 1 }
        var started = hosts.started.makeAsyncIterator()
        let first = Task { await code(fetcher, "http://slow.test/") }
        _ = await started.next()
        // The first still goes on when these have ended.
        #expect(await code(fetcher, "http://slow.test/", in: .milliseconds(50)) == .fetch)
        #expect(await code(fetcher, "http://slow.test/", in: .zero) == .fetch)
        let cancelled = Task { await code(fetcher, "http://slow.test/") }
        while fetcher.waitingCount < 1 { await Task.yield() }
        cancelled.cancel()
        #expect(await cancelled.value == .cancelled)
        #expect(fetcher.waitingCount == 0)
        // No place is lost by any of that.
        let next = Task { await code(fetcher, "http://slow.test/") }
        while fetcher.waitingCount < 1 { await Task.yield() }
        hosts.letGo(1)
        #expect(await first.value == .fetch)
        #expect(await started.next() == "slow.test")
        hosts.letGo(1)
        #expect(await next.value == .fetch)
        #expect(hosts.mostAtOnce("slow.test") == 1)
    }

    /// They go on in the place that the first address has.
    @Test func redirectsWaitForNoPlaceOfTheirOwn() async throws {
        let picture: [UInt8] = [1, 2, 3]
        let server = try ScriptedServer { request in
            request.target == "/end"
                ? .init(body: picture)
                : .init(status: 302, headers: ["Location": request.target == "/" ? "/next" : "/end"])
        }
        var options = ImageFetchOptions()
        options.loopbackPort = server.port
        (options.concurrentFetches, options.concurrentFetchesPerHost, options.maximumWaiting) = (1, 1, 0)
        let fetcher = try ImageFetcher(options: options, resolver: HostResolver { _ in ["127.0.0.1"] })
        #expect(try await fetcher.fetch("http://a.test:\(server.port)/") == picture)
        #expect(server.requests.count == 3)
    }
}
