import ConcordCore
import ConcordTensor

/// How the scores between all samples of a batch are computed. The loss and its gradients are the same in every plan:
/// those of the mean over the batch of all processes.
///
/// Gradients of what the processes share, such as the parameters of the towers or a logit scale, are each process's
/// part: *summed* over the processes they are the whole. Gradients of embeddings are whole at once.
public enum ScorePlan {
    /// The whole matrix of scores at once: O(count²) memory, for small batches.
    case dense
    /// A block of rows at a time: O(count · width + rows · count) memory, on any device, and faster for large batches.
    ///
    /// The gradients are computed with the loss, and kept for the backward pass. Second derivatives are not there: asking
    /// for them is a failure of the tensor operation, which says so. `dense` has them.
    case tiled(rows: Int = ScorePlan.defaultRows)
    /// The batch of several processes, each computing its own rows of the scores, a block at a time. Every process
    /// calls the loss; their batches may have different sizes. As with `tiled`, there are no second derivatives.
    case gathered(ProcessGroup, rows: Int = ScorePlan.defaultRows)

    /// Rows of a block that keep the processor's caches and its matrix kernels busy.
    public static let defaultRows = 512

    /// - Throws: `.invalidArgument` unless a block has rows.
    func check() throws(ConcordError) {
        switch self {
        case .dense: return
        case .tiled(let rows), .gathered(_, let rows):
            guard rows > 0 else {
                throw ConcordError(.invalidArgument, "the plan's blocks have \(rows) rows; rows must be at least 1")
            }
        }
    }
}

/// How a batch runs through towers and loss. Loss and gradients are the same in every plan.
///
/// The towers' part is here, the scores' part is a ``ScorePlan``, which this makes from the same names: `.dense`,
/// `.tiled()`, `.gathered(group)` embed the whole batch at once, and `.cached(chunk: 64)` embeds it in chunks, with
/// any plan for the scores.
public enum ExecutionPlan {
    /// The towers keep what their backward pass needs of the whole batch.
    case whole(ScorePlan)
    /// Gradient caching (Gao et al. 2021): the towers embed a chunk at a time and keep nothing but the embeddings; in
    /// the backward pass each chunk is embedded again. The activations of one chunk are held at a time, for one
    /// more forward pass. Random numbers are drawn the same both times, so dropout is exact.
    case cached(chunk: Int, scores: ScorePlan = .tiled())

    public static var dense: ExecutionPlan { .whole(.dense) }
    public static func tiled(rows: Int = ScorePlan.defaultRows) -> ExecutionPlan { .whole(.tiled(rows: rows)) }
    public static func gathered(_ group: ProcessGroup, rows: Int = ScorePlan.defaultRows) -> ExecutionPlan {
        .whole(.gathered(group, rows: rows))
    }

    /// How the scores are computed.
    public var scores: ScorePlan {
        switch self {
        case .whole(let scores), .cached(_, let scores): scores
        }
    }

    /// Embeds a batch, whole or in chunks.
    ///
    /// - Parameters:
    ///   - inputs: what a tower takes, all with the samples on their first axis.
    ///   - generators: what the tower draws from, as in dropout.
    ///   - tower: maps inputs to embeddings `[samples, width]`; a sample's embedding does not depend on the others.
    /// - Returns: embeddings `[samples, width]`, to be given to a loss and differentiated as usual.
    public func embed(
        _ inputs: [Tensor], generators: [Generator] = [], _ tower: @escaping ([Tensor]) -> Tensor
    ) -> Tensor {
        guard case .cached(let chunk, _) = self, let count = inputs.first?.size(0), count > chunk else {
            return tower(inputs)
        }
        // The message of a precondition is not there in release builds.
        guard chunk > 0 else { fatalError("the plan embeds \(chunk) samples at a time; chunk must be at least 1") }
        return Tensor.concatenated(
            stride(from: 0, to: count, by: chunk).map { start in
                let part = inputs.map { $0.narrowed(axis: 0, from: start, count: min(chunk, count - start)) }
                return checkpointed(part, generators: generators, tower)
            })
    }
}
