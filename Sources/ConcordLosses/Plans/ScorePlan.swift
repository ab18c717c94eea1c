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
