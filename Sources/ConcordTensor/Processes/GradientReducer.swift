import CTorch
import ConcordCore

/// Sums the gradients of parameters over processes while the backward pass runs: libtorch's data-parallel engine,
/// c10d's Reducer (Li et al. 2020, "PyTorch Distributed").
///
/// Gradients are collected in buckets of 25 MiB, the first of 1 MiB. A bucket is sent as soon as the last of its gradients
/// is there, so that sending and computing overlap; after the first pass, buckets follow the order in which gradients
/// came. Every process has the same parameters in the same order.
///
/// The result is the *sum*, not the mean: where a loss is the mean over all processes' samples and its gradients are this
/// process's part, as those of ``ConcordLosses/ScorePlan`` are, nothing is left to be scaled, and no division rounds.
public final class GradientReducer {
    /// How gradients are sent.
    public enum Compression: String, Sendable, CaseIterable {
        /// In their own type.
        case none
        /// As bfloat16: half the bytes of float32, with 8 bits of precision, in the sums too.
        case bfloat16
    }

    private let group: ProcessGroup?
    private let parameters: [Tensor]
    /// Nil for one process.
    private let handle: OpaquePointer?

    /// Compares the parameters with those of the other processes.
    ///
    /// - Parameters:
    ///   - parameters: leaves that require gradients, on the CPU where there are several processes; frozen ones are left
    ///     out.
    ///   - group: the processes; nil for one.
    /// - Throws: `.processGroup`, on all processes, when one has others, by number, shape or dtype; `.invalidArgument` for
    ///   a tensor that takes no gradient or is not on the CPU.
    public init(
        _ parameters: [Tensor], group: ProcessGroup?, compression: Compression = .none
    ) throws(ConcordError) {
        if let place = parameters.firstIndex(where: { !$0.isLeaf || !$0.requiresGradient }) {
            throw ConcordError(
                .invalidArgument,
                "parameter \(place) of shape \(parameters[place].shape) takes no gradient; leave out what is frozen")
        }
        self.group = group
        self.parameters = parameters
        guard let group, group.worldSize > 1, !parameters.isEmpty else {
            handle = nil
            return
        }
        if let other = parameters.first(where: { $0.device != .cpu }) {
            throw ConcordError(.invalidArgument, "parameters on \(other.device) cannot be summed by Gloo; use the CPU")
        }
        var handle: OpaquePointer?
        let status = ctorch_reducer_create(
            try group.handle, parameters.map(\.handle), parameters.count, compression == .bfloat16, &handle)
        try group.check(status, "comparison of parameters")
        self.handle = handle
    }

    deinit { if let handle { ctorch_reducer_release(handle) } }

    /// Adds the gradients of a loss, summed over all processes, to ``Tensor/gradient`` of every parameter.
    ///
    /// A parameter that the loss does not depend on, here or on other processes, counts as zeros where it does not.
    /// Gradients of earlier backward passes that are still there take part in the sum.
    ///
    /// - Parameters:
    ///   - loss: `[]`; one that depends on no parameter takes part with zeros.
    ///   - gradient: the gradient of the final result with respect to the loss, such as a loss scale; nil is 1.
    /// - Throws: `.processGroup` when another process fails, `.tensorOperation` for a failing operation.
    public func backward(_ loss: Tensor, gradient: Tensor? = nil) throws(ConcordError) {
        let prepared = try prepare(loss)
        let status = withExtendedLifetime((prepared, gradient)) {
            ctorch_backward([prepared.handle], [gradient?.handle], 1, false)
        }
        guard status != CTORCH_OK else {
            // As on several processes, where the others may have had more.
            if handle == nil {
                for parameter in parameters where parameter.gradient == nil {
                    parameter.gradient = .zeros(like: parameter.detached())
                }
            }
            return
        }
        if status == CTORCH_PROCESS_GROUP { try group?.check(status, "sum of gradients") }
        throw ConcordError(
            .tensorOperation, "backward pass: \(ctorch_last_error().map { String(cString: $0) } ?? "unknown error")")
    }

    /// The same value, in whose backward pass every parameter takes part.
    ///
    /// - Throws: `.processGroup`.
    private func prepare(_ loss: Tensor) throws(ConcordError) -> Tensor {
        guard let handle else { return loss }
        _ = try group?.handle
        var result: OpaquePointer?
        let status = withExtendedLifetime(loss) { ctorch_reducer_prepare(handle, loss.handle, &result) }
        try group?.check(status, "preparation of a backward pass")
        return Tensor(handle: result)
    }

    /// The bytes that this process sent in the last backward pass: a ring sends each gradient 2 (W − 1) / W times.
    public var bytesSent: Int {
        guard let handle, let group else { return 0 }
        return Int(ctorch_reducer_bytes(handle)) * 2 * (group.worldSize - 1) / group.worldSize
    }
}
