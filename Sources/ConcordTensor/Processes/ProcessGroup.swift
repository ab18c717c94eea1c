import CTorch
import ConcordCore
import Foundation

/// Processes that compute together, on one machine or several: libtorch's c10d over Gloo.
///
/// Every process calls the same operations in the same order with tensors of the same shapes; each call returns when
/// all have made it. A call waits for as long as the other processes live: one that computes for an hour, as rank 0 does
/// at the end of a training run, is not late. One that ends, stops or is cut off is found by its heartbeat; from then on
/// every call on every other process throws an error that names it.
public final class ProcessGroup {
    /// The exit status of a program that another process of its group has made fail: what started it may start it again.
    public static let failureStatus: Int32 = 75  // EX_TEMPFAIL of sysexits.h

    /// The place of this process in the group.
    public let place: ProcessMembership
    /// The number of this process, from 0.
    public var rank: Int { place.rank }
    /// The number of processes.
    public var worldSize: Int { place.worldSize }
    /// Nil for a group of one.
    let connection: Connection?
    private let heartbeat: Heartbeat?
    /// Whether a call has failed because another process is dead, stopped or has left with an error. What this process
    /// does is as right as before, and can be done again with a new group.
    public private(set) var hasLostProcess = false

    /// Connects to the other processes.
    ///
    /// - Parameters:
    ///   - timeout: seconds to wait until all have come.
    ///   - silence: seconds without a sign of life after which a process counts as dead.
    ///   - grace: seconds after another process has died after which this one ends with ``failureStatus``, if it has not
    ///     left the group by then: it may be busy, and notice nothing for long. Nil lets it go on.
    /// - Throws: `.processGroup`, on all processes, when they disagree about who is who; when not all come in time,
    ///   naming those that are missing; for a port in use.
    public init(
        _ place: ProcessMembership, timeout: Double = 300, silence: Double = 30, grace: Double? = nil
    ) throws(ConcordError) {
        guard timeout > 0, silence > 0 else {
            throw ConcordError(
                .invalidArgument, "a timeout of \(timeout) s and a silence of \(silence) s; both are above 0")
        }
        self.place = place
        guard place.worldSize > 1 else {
            connection = nil
            heartbeat = nil
            return
        }
        (connection, heartbeat) = try withoutPipeSignal { () throws(ConcordError) in
            let store = try Meeting.hold(place, timeout: timeout)
            let connection = try Connection(store, place, timeout: timeout)
            return (connection, try Heartbeat(place, silence: silence, grace: grace) { connection.fail($0) })
        }
    }

    /// Connects to the other processes of a group on this machine, or of one that meets at another.
    ///
    /// - Parameters:
    ///   - host: the address on which rank 0 listens; `127.0.0.1` keeps all traffic on this machine.
    ///   - port: the port of rank 0.
    ///   - timeout: seconds to wait until all have come.
    /// - Throws: as ``init(_:timeout:silence:grace:)``; `.invalidArgument` for a rank outside the group.
    public convenience init(
        host: String, port: Int, rank: Int, worldSize: Int, timeout: Double = 300, silence: Double = 30
    ) throws(ConcordError) {
        try self.init(
            ProcessMembership(host: host, port: port, rank: rank, worldSize: worldSize), timeout: timeout,
            silence: silence)
    }

    /// The group that the environment describes; nil where it describes none.
    ///
    /// - Throws: as ``ProcessMembership/fromEnvironment(_:)`` and ``init(_:timeout:silence:grace:)``.
    public static func fromEnvironment(
        _ environment: [String: String] = ProcessInfo.processInfo.environment, timeout: Double = 300
    ) throws(ConcordError) -> ProcessGroup? {
        guard let place = try ProcessMembership.fromEnvironment(environment) else { return nil }
        return try ProcessGroup(place, timeout: timeout)
    }

    deinit { leave() }

    /// Leaves the group. The other processes go on, and report this error if they need this one again.
    ///
    /// Done at the latest when the group is released, without an error. Rank 0 waits until the others have left, too.
    public func leave(because error: (any Error)? = nil) {
        heartbeat?.end(error.map { "\($0)" })
        // What has failed may still wait in threads of its own, which end with the process.
        if heartbeat?.failure == nil { connection?.close() }
    }

    /// Throws `.processGroup` when the group has failed: another process is dead.
    public func check() throws(ConcordError) {
        guard let failure = heartbeat?.failure else { return }
        hasLostProcess = true
        throw ConcordError(.processGroup, failure)
    }

    /// The operation of ``allReduce(_:_:)``.
    package enum Reduction: Int32, Sendable {
        case sum = 0
        case maximum = 1
        case minimum = 2
    }

    /// Replaces the elements by their reduction over all ranks. All ranks have the same shape and dtype.
    ///
    /// - Throws: `.processGroup`.
    package func allReduce(_ tensor: Tensor, _ reduction: Reduction = .sum) throws(ConcordError) {
        guard worldSize > 1 else { return }
        let handle = try handle
        let status = withExtendedLifetime(tensor) {
            ctorch_all_reduce(handle, tensor.handle, reduction.rawValue)
        }
        try check(status, "all-reduce of \(tensor.shape)")
    }

    /// The tensors of all ranks, in order of ranks. All ranks have the same shape and dtype.
    ///
    /// - Throws: `.processGroup`.
    package func allGather(_ tensor: Tensor) throws(ConcordError) -> [Tensor] {
        guard worldSize > 1 else { return [tensor.detached()] }
        let handle = try handle
        var results: UnsafeMutablePointer<OpaquePointer?>?
        var count = 0
        let status = withExtendedLifetime(tensor) { ctorch_all_gather(handle, tensor.handle, &results, &count) }
        try check(status, "all-gather of \(tensor.shape)")
        defer { ctorch_free(results) }
        return (0..<count).map { Tensor(handle: results?[$0]) }
    }

    /// Overwrites the tensor with that of rank `root`.
    ///
    /// - Throws: `.processGroup`.
    package func broadcast(_ tensor: Tensor, from root: Int = 0) throws(ConcordError) {
        guard worldSize > 1 else { return }
        let handle = try handle
        let status = withExtendedLifetime(tensor) { ctorch_broadcast(handle, tensor.handle, Int32(root)) }
        try check(status, "broadcast of \(tensor.shape)")
    }

    /// The group as the seam knows it.
    ///
    /// - Throws: `.processGroup` once this process has left.
    var handle: OpaquePointer {
        get throws(ConcordError) {
            if let handle = connection?.handle { return handle }
            throw ConcordError(
                .processGroup, "rank \(rank) has left its group of \(worldSize), and asks for the others")
        }
    }

    /// Throws for a call of the seam that failed: as `.processGroup` with the name of the process that is the cause, where
    /// there is one.
    func check(_ status: Int32, _ what: String) throws(ConcordError) {
        guard status != CTORCH_OK else { return }
        let reason = ctorch_last_error().map { String(cString: $0) } ?? "unknown error"
        if status == CTORCH_PROCESS_GROUP, let cause = heartbeat?.findCause() {
            hasLostProcess = true
            throw ConcordError(.processGroup, "\(cause) (rank \(rank) noticed it at the \(what))")
        }
        throw ConcordError(.processGroup, "\(what) on rank \(rank): \(reason)")
    }
}

extension ProcessGroup {
    /// The connections to the other processes.
    final class Connection: @unchecked Sendable {
        // Used from the thread that computes; only `fail` comes from another, and locks.
        private(set) var handle: OpaquePointer?
        private let store: SharedStore

        init(_ store: SharedStore, _ place: ProcessMembership, timeout: Double) throws(ConcordError) {
            self.store = store
            var handle: OpaquePointer?
            let status = ctorch_process_group_create(
                store.handle, place.host, Int32(place.rank), Int32(place.worldSize), Int64(timeout * 1000), &handle)
            guard status == CTORCH_OK else {
                let reason = ctorch_last_error().map { String(cString: $0) } ?? "unknown error"
                throw ConcordError(
                    .processGroup,
                    "rank \(place.rank) met the other ranks at \(place.address), and cannot connect to all: \(reason)")
            }
            self.handle = handle
        }

        func fail(_ reason: String) { ctorch_process_group_fail(handle, reason) }

        func close() {
            if let handle { ctorch_process_group_release(handle) }
            handle = nil
        }
    }
}

/// Runs `body` so that it and the threads that it starts get an error, and no signal that ends the process, when they
/// write to a connection that is gone.
private func withoutPipeSignal<Result>(_ body: () throws(ConcordError) -> Result) throws(ConcordError) -> Result {
    var pipe = sigset_t(), before = sigset_t()
    sigemptyset(&pipe)
    sigaddset(&pipe, SIGPIPE)
    pthread_sigmask(SIG_BLOCK, &pipe, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    return try body()
}
