import CTorch
import ConcordCore
import Foundation

/// Processes that compute together, on one machine or several: libtorch's c10d over Gloo.
///
/// Every process calls the same operations in the same order with tensors of the same shapes; each call returns when
/// all have made it. If one is late by more than the timeout, or gone, the call throws on the others.
public final class ProcessGroup {
    /// The number of this process, from 0.
    public let rank: Int
    /// The number of processes.
    public let worldSize: Int
    private let handle: OpaquePointer?

    /// Connects to the other processes.
    ///
    /// - Parameters:
    ///   - host: the address on which rank 0 listens; `127.0.0.1` keeps all traffic on this machine.
    ///   - port: the port of rank 0.
    ///   - timeout: seconds that a call may wait for the others.
    /// - Throws: `.processGroup` when not all connect in time, `.invalidArgument` for a rank outside the group.
    public init(host: String, port: Int, rank: Int, worldSize: Int, timeout: Double = 300) throws(ConcordError) {
        guard worldSize > 0, (0..<worldSize).contains(rank) else {
            throw ConcordError(
                .invalidArgument, "rank \(rank) of a world of \(worldSize) processes; ranks count from 0")
        }
        guard let port = UInt16(exactly: port), timeout > 0 else {
            throw ConcordError(
                .invalidArgument,
                "port \(port) with a timeout of \(timeout) s; ports are 0...65535 and timeouts above 0")
        }
        self.rank = rank
        self.worldSize = worldSize
        var handle: OpaquePointer?
        let status = ctorch_process_group_create(
            host, port, Int32(rank), Int32(worldSize), Int64(timeout * 1000), &handle)
        guard status == CTORCH_OK else {
            let name = host.contains(":") ? "[\(host)]" : host
            throw Self.failure(
                "rank \(rank) did not meet the \(worldSize - 1) others at \(name):\(port) within \(timeout) s; start "
                    + "all ranks with the same MASTER_ADDR, MASTER_PORT and WORLD_SIZE")
        }
        self.handle = handle
    }

    deinit { ctorch_process_group_release(handle) }

    /// The group that the environment describes, as torchrun, Slurm and Kubernetes set it: `MASTER_ADDR`,
    /// `MASTER_PORT`, `RANK` and `WORLD_SIZE`. Nil when none of them is set.
    ///
    /// - Throws: `.invalidConfiguration` naming a variable that is missing or not a number; the errors of the
    ///   initializer.
    public static func fromEnvironment(
        _ environment: [String: String] = ProcessInfo.processInfo.environment, timeout: Double = 300
    ) throws(ConcordError) -> ProcessGroup? {
        let names = ["MASTER_ADDR", "MASTER_PORT", "RANK", "WORLD_SIZE"]
        guard names.contains(where: { environment[$0] != nil }) else { return nil }
        func text(_ name: String) throws(ConcordError) -> String {
            guard let value = environment[name], !value.isEmpty else {
                throw ConcordError(
                    .invalidConfiguration,
                    "\(name) is not set; a process of a group needs \(names.joined(separator: ", "))")
            }
            return value
        }
        func number(_ name: String) throws(ConcordError) -> Int {
            let value = try text(name)
            guard let number = Int(value) else {
                throw ConcordError(.invalidConfiguration, "\(name) is \"\(value)\"; it must be a whole number")
            }
            return number
        }
        return try ProcessGroup(
            host: text("MASTER_ADDR"), port: number("MASTER_PORT"), rank: number("RANK"),
            worldSize: number("WORLD_SIZE"), timeout: timeout)
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
        let status = withExtendedLifetime(tensor) { ctorch_all_reduce(handle, tensor.handle, reduction.rawValue) }
        guard status == CTORCH_OK else { throw Self.failure("all-reduce of \(tensor.shape) on rank \(rank)") }
    }

    /// The tensors of all ranks, in order of ranks. All ranks have the same shape and dtype.
    ///
    /// - Throws: `.processGroup`.
    package func allGather(_ tensor: Tensor) throws(ConcordError) -> [Tensor] {
        guard worldSize > 1 else { return [tensor.detached()] }
        var results: UnsafeMutablePointer<OpaquePointer?>?
        var count = 0
        let status = withExtendedLifetime(tensor) { ctorch_all_gather(handle, tensor.handle, &results, &count) }
        guard status == CTORCH_OK else { throw Self.failure("all-gather of \(tensor.shape) on rank \(rank)") }
        defer { ctorch_free(results) }
        return (0..<count).map { Tensor(handle: results?[$0]) }
    }

    /// Overwrites the tensor with that of rank `root`.
    ///
    /// - Throws: `.processGroup`.
    package func broadcast(_ tensor: Tensor, from root: Int = 0) throws(ConcordError) {
        guard worldSize > 1 else { return }
        let status = withExtendedLifetime(tensor) { ctorch_broadcast(handle, tensor.handle, Int32(root)) }
        guard status == CTORCH_OK else { throw Self.failure("broadcast of \(tensor.shape) to rank \(rank)") }
    }

    private static func failure(_ what: String) -> ConcordError {
        let reason = ctorch_last_error().map { String(cString: $0) } ?? "unknown error"
        return ConcordError(.processGroup, "\(what): \(reason)")
    }
}

extension ProcessGroup {
    /// The rows of all ranks, which may hold different numbers of them.
    package struct GatheredRows {
        /// `[all rows, …]`, rank after rank, without gradient.
        package let all: Tensor
        /// The rows of this rank.
        package let own: Range<Int>
    }

    /// Joins the rows of all ranks along the first axis. The other axes and the dtype are the same on all ranks; a rank
    /// may have no rows.
    ///
    /// - Throws: `.processGroup`, also when shapes or dtypes differ between ranks.
    package func gatherRows(_ tensor: Tensor) throws(ConcordError) -> GatheredRows {
        let tensor = tensor.detached()
        guard worldSize > 1 else { return GatheredRows(all: tensor, own: 0..<tensor.size(0)) }
        let counts = try rowCounts(tensor)
        let longest = counts.max() ?? 0
        let padding = longest - tensor.size(0)
        let padded =
            padding == 0
            ? tensor
            : Tensor.concatenated(
                [tensor, .zeros([padding] + tensor.shape.dropFirst(), dtype: tensor.dtype, device: tensor.device)])
        let parts = try allGather(padded)
        let rows = zip(parts, counts).map { $0.narrowed(axis: 0, from: 0, count: $1) }
        let start = counts[..<rank].reduce(0, +)
        return GatheredRows(all: Tensor.concatenated(rows), own: start..<start + counts[rank])
    }

    /// The number of rows of each rank. Compares shape and dtype first: a mismatch would hang or mix up bytes.
    private func rowCounts(_ tensor: Tensor) throws(ConcordError) -> [Int] {
        let shape = tensor.shape
        let inner = shape.dropFirst()
        let types = DType.allCases
        let form =
            [shape[0], types.firstIndex(of: tensor.dtype) ?? 0, inner.count] + inner
            + Array(repeating: 0, count: 8 - inner.count)
        let forms = try allGather(Tensor(form)).map { $0.scalars(as: Int.self) }
        guard let other = forms.firstIndex(where: { $0.dropFirst() != form.dropFirst() }) else {
            return forms.map { $0[0] }
        }
        let (theirs, type) = (forms[other][3..<3 + forms[other][2]], types[forms[other][1]])
        throw ConcordError(
            .processGroup,
            "rank \(rank) has rows of shape \(Array(inner)) of \(tensor.dtype.rawValue), rank \(other) of "
                + "\(Array(theirs)) of \(type.rawValue); all ranks must embed to the same width and type")
    }
}

extension ProcessGroup {
    /// Sums the gradients of shared parameters over the ranks, each of which has its part.
    ///
    /// - Parameter tensors: leaves, in the same order on all ranks; one without a gradient counts as zeros.
    /// - Throws: `.processGroup`.
    public func sumGradients(of tensors: [Tensor]) throws(ConcordError) {
        guard worldSize > 1 else { return }
        for tensor in tensors {
            let gradient = tensor.gradient ?? .zeros(like: tensor.detached())
            try allReduce(gradient)
            tensor.gradient = gradient
        }
    }
}
