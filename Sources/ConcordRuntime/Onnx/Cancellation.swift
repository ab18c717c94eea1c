import COnnxRuntime
import ConcordCore
import Synchronization

/// Gives up a run from another thread: before it starts, or at the next node of its graph.
final class Cancellation: Sendable {
    private let state = Atomic(false)
    /// Setting its flag while a run reads it is what it is made for.
    nonisolated(unsafe) let handle: OpaquePointer

    init(_ runtime: OnnxRuntime) throws(ConcordError) {
        var handle: OpaquePointer?
        let (status, message) = withMessage { cort_cancellation_create(runtime.handle, &handle, $0) }
        guard status == CORT_OK, let handle else {
            throw ConcordError(.inference, "no run can be prepared: \(message)")
        }
        self.handle = handle
    }

    deinit { cort_cancellation_release(handle) }

    var isCancelled: Bool { state.load(ordering: .acquiring) }

    func cancel() {
        state.store(true, ordering: .releasing)
        cort_cancellation_cancel(handle)
    }
}
