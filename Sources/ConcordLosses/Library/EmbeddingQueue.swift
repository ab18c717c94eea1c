import ConcordCore
import ConcordTensor

/// A first-in, first-out queue of the embeddings of recent batches, for losses that need more negatives than a batch
/// has.
///
/// As cross-batch memory (XBM, Wang et al. 2020), with labels and any loss that takes a `reference`:
/// ```swift
/// let own = try queue.enqueue(embeddings, labels: labels)
/// let loss = try contrastiveLoss(
///     embeddings: embeddings, labels: labels, reference: queue.embeddings, referenceLabels: queue.labels, ownRows: own)
/// ```
/// which is what pytorch_metric_learning's `CrossBatchMemory` does: the batch meets its own detached copy and the
/// batches before, except that no embedding meets itself. Without `enqueue` before it and `ownRows`, the batch is
/// compared with earlier batches alone; add the loss within the batch then.
///
/// As the queue of negatives of MoCo (He et al. 2020), without labels: compare the queries with their keys and
/// ``embeddings``, and after the loss enqueue the keys, which a slowly moving average of the model made.
public final class EmbeddingQueue {
    /// The maximum number of embeddings.
    package let capacity: Int
    /// The width of the embeddings.
    package let width: Int
    /// Whether each embedding comes with a label.
    package let hasLabels: Bool
    /// The number of embeddings.
    public private(set) var count = 0
    /// The slot that the next embedding goes to, which holds the oldest when the queue is full.
    private var next = 0
    private let storage: Tensor
    private let labelStorage: Tensor?

    /// An empty queue.
    ///
    /// - Parameters:
    ///   - capacity: at least 1, as far as memory allows; need not be a multiple of the batch size.
    ///   - width: at least 1.
    ///   - hasLabels: whether each embedding comes with a label.
    ///   - dtype: the floating-point type in which embeddings are kept.
    ///   - device: the device of the queue and of the batches.
    /// - Throws: `.invalidArgument` or `.dtypeMismatch`.
    public init(
        capacity: Int = 1024, width: Int, hasLabels: Bool = false, dtype: DType = .float32, device: Device = .cpu
    ) throws(ConcordError) {
        for (name, value) in [("capacity", capacity), ("width", width)] where value < 1 {
            throw ConcordError(.invalidArgument, "\(name) is \(value); it must be at least 1")
        }
        guard dtype.isFloatingPoint else {
            throw ConcordError(
                .dtypeMismatch, "dtype is \(dtype.rawValue); embeddings must be of a floating-point type")
        }
        self.capacity = capacity
        self.width = width
        self.hasLabels = hasLabels
        do {
            (storage, labelStorage) = try withTensorErrors {
                (
                    .zeros([capacity, width], dtype: dtype, device: device),
                    hasLabels ? .zeros([capacity], dtype: .int64, device: device) : nil
                )
            }
        } catch {
            throw ConcordError(
                .invalidArgument,
                "a queue of capacity \(capacity) and width \(width) in \(dtype.rawValue) does not fit on \(device): \(error)"
            )
        }
    }

    /// A copy of the embeddings, `[count, width]`, in no particular order, without gradient.
    ///
    /// A loss over the copy may run backward after the next ``enqueue(_:labels:)``.
    public var embeddings: Tensor { filled(storage) }

    /// The labels of ``embeddings``, int64 `[count]`; nil for a queue without labels.
    public var labels: Tensor? { labelStorage.map(filled) }

    private func filled(_ tensor: Tensor) -> Tensor {
        withoutGradient { tensor.narrowed(axis: 0, from: 0, count: count).cloned() }
    }

    /// Adds detached copies of a batch and drops the oldest embeddings. Only the last rows of a batch larger than the
    /// capacity stay.
    ///
    /// - Parameters:
    ///   - batch: `[rows, width]`, of any floating-point type; converted.
    ///   - labels: int64 `[rows]`, for a queue with labels.
    /// - Returns: the place of each row in ``embeddings``, int64 `[rows]`, or -1 for a row that did not stay.
    /// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch`, `.nonFiniteValue`, or `.invalidArgument` when
    ///   labels are missing or unexpected. The queue is then unchanged.
    @discardableResult
    public func enqueue(_ batch: Tensor, labels: Tensor? = nil) throws(ConcordError) -> Tensor {
        try check(batch, labels)
        let rows = batch.size(0)
        let dropped = max(0, rows - capacity)
        let start = (next + dropped) % capacity
        withoutGradient {
            write(batch.detached(), from: dropped, into: storage, at: start)
            if let labels, let labelStorage { write(labels, from: dropped, into: labelStorage, at: start) }
        }
        let slots = (0..<rows).map { $0 < dropped ? -1 : (next + $0) % capacity }
        next = (next + rows) % capacity
        count = min(capacity, count + rows)
        return Tensor(slots, device: storage.device)
    }

    /// Copies rows `from...` of a batch to the slots from `start` on, the rest to the first slots.
    private func write(_ batch: Tensor, from: Int, into target: Tensor, at start: Int) {
        let rows = batch.size(0) - from
        let untilEnd = min(rows, capacity - start)
        target.narrowed(axis: 0, from: start, count: untilEnd)
            .copy(from: batch.narrowed(axis: 0, from: from, count: untilEnd))
        guard rows > untilEnd else { return }
        target.narrowed(axis: 0, from: 0, count: rows - untilEnd)
            .copy(from: batch.narrowed(axis: 0, from: from + untilEnd, count: rows - untilEnd))
    }

    private func check(_ batch: Tensor, _ labels: Tensor?) throws(ConcordError) {
        try LossInput.checkEmbeddings(batch, "batch")
        guard batch.size(1) == width else {
            throw ConcordError(.shapeMismatch, "batch has shape \(batch.shape); the queue needs [rows, \(width)]")
        }
        guard batch.device == storage.device else {
            throw ConcordError(
                .dtypeMismatch, "batch is on \(batch.device) and the queue on \(storage.device); move one with to(_:)")
        }
        guard (labels != nil) == hasLabels else {
            throw ConcordError(
                .invalidArgument,
                hasLabels
                    ? "labels is missing: the queue was made with hasLabels, so a batch of shape \(batch.shape) needs "
                        + "labels of shape [\(batch.size(0))]"
                    : "labels is given to a queue without labels; make it with hasLabels: true")
        }
        if let labels { try LossInput.checkLabels(labels, "labels", of: batch, "batch") }
    }

    /// Removes all embeddings.
    public func removeAll() {
        count = 0
        next = 0
    }

    // MARK: - Resuming

    /// The state that a checkpoint needs to resume with this queue.
    public var namedState: [(String, Tensor)] {
        let position = Tensor([count, next])
        return [("queue.embeddings", storage), ("queue.position", position)]
            + (labelStorage.map { [("queue.labels", $0)] } ?? [])
    }

    /// Restores the state from a checkpoint of a queue with the same settings.
    ///
    /// - Parameters:
    ///   - tensors: ``namedState`` by name, of any device.
    ///   - path: the checkpoint's path, for error messages.
    /// - Throws: `.invalidCheckpoint`; the queue is then unchanged.
    public func restore(_ tensors: [String: Tensor], path: String) throws(ConcordError) {
        var saved: [Tensor] = []
        for (name, tensor) in namedState {
            guard let found = tensors[name] else {
                throw ConcordError(
                    .invalidCheckpoint, "\(path) has no tensor \(name); it was saved by another recipe or version")
            }
            guard found.shape == tensor.shape, found.dtype.isFloatingPoint == tensor.dtype.isFloatingPoint else {
                throw ConcordError(
                    .invalidCheckpoint,
                    "\(path): \(name) is \(found.dtype.rawValue) of shape \(found.shape), the queue needs "
                        + "\(tensor.dtype.rawValue) of shape \(tensor.shape)")
            }
            saved.append(found)
        }
        let position = saved[1].scalars(as: Int.self)
        let (savedCount, savedNext) = (position[0], position[1])
        guard (0...capacity).contains(savedCount), (0..<capacity).contains(savedNext),
            savedCount == capacity || savedNext == savedCount
        else {
            throw ConcordError(
                .invalidCheckpoint,
                "\(path): queue.position is \(position), which is impossible for a capacity of \(capacity)")
        }
        withoutGradient {
            storage.copy(from: saved[0])
            if let labelStorage { labelStorage.copy(from: saved[2]) }
        }
        count = savedCount
        next = savedNext
    }
}
