import ConcordServer
import Foundation

/// Work that tells of each run and stops in it until the test lets it go on; an item's result is ten times itself.
final class StepwiseWork: Sendable {
    let runs: AsyncStream<[Int]>
    private let started: AsyncStream<[Int]>.Continuation
    private let permits = DispatchSemaphore(value: 0)

    init() { (runs, started) = AsyncStream.makeStream(of: [Int].self) }

    /// Lets so many runs, now or later, go on.
    func proceed(_ count: Int = 1) { for _ in 0..<count { permits.signal() } }

    func callAsFunction(_ items: [Int], _ run: BatchRun<Int>) {
        started.yield(items)
        permits.wait()
        for (index, item) in items.enumerated() { run.finish(index, .success(item * 10)) }
    }
}

extension Batcher {
    /// Waits until so many items wait and no others are about to, without looking at the time.
    func waitForQueue(_ count: Int) async {
        while waitingCount != count || queuedCount != count { await Task.yield() }
    }
}

/// How a piece of work ended: its result, or the kind of its error.
func outcome<Value: Sendable>(
    _ body: () async throws(ServingError) -> Value
) async -> Result<Value, ServingError> {
    do throws(ServingError) { return .success(try await body()) } catch { return .failure(error) }
}

extension Result where Failure == ServingError {
    var parameter: String? {
        if case .failure(let error) = self { error.parameter } else { nil }
    }

    var kind: ServingError.Kind? {
        if case .failure(let error) = self { error.kind } else { nil }
    }

    var retryAfter: Duration? {
        if case .failure(let error) = self { error.retryAfter } else { nil }
    }

    var value: Success? { try? get() }
}

extension QueueOptions {
    /// Options for tests, whose clocks stand still: long waits, and runs of any length unless one is given.
    static func test(
        buckets: [Int] = [1], workers: Int = 1, capacity: Int = 1024, bulkShare: Double = 0.2,
        longestRun: Duration? = nil, gathering: Double = 0
    ) -> QueueOptions {
        var options = QueueOptions()
        options.buckets = buckets
        options.workers = workers
        options.capacity = capacity
        options.longestWait = .seconds(30)
        options.bulkShare = bulkShare
        options.longestRun = longestRun
        options.gathering = gathering
        return options
    }
}
