import Synchronization

/// A place in the queue of a ``Batcher`` for an item that is still being made ready. It is free again when the item has
/// come, or when this object goes.
package final class BatchTicket: Sendable {
    private let isUsed = Atomic(false)
    private let onRelease: @Sendable () -> Void

    init(onRelease: @escaping @Sendable () -> Void) { self.onRelease = onRelease }

    deinit { release() }

    package func release() {
        if !isUsed.exchange(true, ordering: .acquiringAndReleasing) { onRelease() }
    }
}
