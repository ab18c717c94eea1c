import ConcordCore
import ConcordTensor

/// A way to compute the scores between all samples of a batch. The loss and its gradients are the same in every plan:
/// those of the mean over the batch of all processes.
///
/// Gradients of what the processes share, such as the parameters of the towers or a logit scale, are each process's
/// part: *summed* over the processes they are the whole. Gradients of embeddings are whole at once.
public enum ScorePlan {
    /// Derivatives of any order: the default.
    ///
    /// ``InfoNCE`` and ``SigmoidLoss`` without masks and without labels that matter have a formula, which runs on the CPU
    /// as under `tiled`; only second derivatives, if you ask for them, take the whole matrix of scores. Other losses, and
    /// other devices, take the whole matrix at once: O(count²) memory, for small batches.
    case dense
    /// A block of rows at a time: O(count · width + rows · count) memory, on any device, and faster for large batches.
    ///
    /// The gradients are computed with the loss, and kept for the backward pass. Second derivatives are not supported:
    /// asking for them is a failed tensor operation. `dense` has them.
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

/// A way to run a batch through towers and loss. Loss and gradients are the same in every plan.
///
/// It is the plan of the towers, with a ``ScorePlan`` for the scores: `.dense`, `.tiled()` and `.gathered(group)` embed
/// the whole batch at once, and `.cached(chunk: 64)` embeds it in chunks, with any plan for the scores.
public enum ExecutionPlan {
    /// The towers keep the activations of the whole batch for their backward pass.
    case whole(ScorePlan)
    /// Gradient caching (GradCache, Gao et al. 2021): memory for the activations of one chunk, for one more forward
    /// pass.
    ///
    /// For equal chunks it is this, which the tests hold it to:
    /// ```swift
    /// func plainGradientCaching(_ chunks: [Tensor], tower: (Tensor) -> Tensor, loss: (Tensor) -> Tensor) {
    ///     let embeddings = withoutGradient { Tensor.concatenated(chunks.map(tower)) }  // keeps no activations
    ///     embeddings.requiresGradient = true
    ///     loss(embeddings).backward()
    ///     let gradients = embeddings.gradient?.chunked(chunks.count, axis: 0) ?? []
    ///     for (chunk, gradient) in zip(chunks, gradients) { tower(chunk).backward(gradient: gradient) }
    /// }
    /// ```
    /// Here it is part of automatic differentiation: ``embed(_:generators:_:)`` returns embeddings as usual. Both
    /// passes draw the same random numbers, so dropout is exact.
    case cached(chunk: Int, scores: ScorePlan = .tiled())

    public static var dense: ExecutionPlan { .whole(.dense) }
    public static func tiled(rows: Int = ScorePlan.defaultRows) -> ExecutionPlan { .whole(.tiled(rows: rows)) }
    public static func gathered(_ group: ProcessGroup, rows: Int = ScorePlan.defaultRows) -> ExecutionPlan {
        .whole(.gathered(group, rows: rows))
    }

    /// The plan of the scores.
    public var scores: ScorePlan {
        switch self {
        case .whole(let scores), .cached(_, let scores): scores
        }
    }

    /// Embeds a batch, whole or in chunks.
    ///
    /// - Parameters:
    ///   - inputs: inputs of the tower, all with the samples on their first axis.
    ///   - generators: sources of the tower's random numbers, as for dropout.
    ///   - tower: maps inputs to embeddings `[samples, width]`; a sample's embedding does not depend on the others.
    /// - Returns: embeddings `[samples, width]`, to be given to a loss and differentiated as usual.
    public func embed(
        _ inputs: [Tensor], generators: [Generator] = [], _ tower: @escaping ([Tensor]) -> Tensor
    ) -> Tensor {
        encode(inputs, generators: generators) { [tower($0)] }[0]
    }

    /// As ``embed(_:generators:_:)``, for an encoder with several outputs, all with the samples on their first axis.
    package func encode(
        _ inputs: [Tensor], generators: [Generator] = [], _ encoder: @escaping ([Tensor]) -> [Tensor]
    ) -> [Tensor] {
        guard case .cached(let chunk, _) = self, let count = inputs.first?.size(0), count > chunk else {
            return encoder(inputs)
        }
        // The message of a precondition is not there in release builds.
        guard chunk > 0 else { fatalError("the plan embeds \(chunk) samples at a time; chunk must be at least 1") }
        let chunks = stride(from: 0, to: count, by: chunk).map { start in
            let part = inputs.map { $0.narrowed(axis: 0, from: start, count: min(chunk, count - start)) }
            return checkpointed(part, generators: generators, encoder)
        }
        return chunks[0].indices.map { output in Tensor.concatenated(chunks.map { $0[output] }) }
    }

    /// The plan for a batch that several processes share.
    package func gathered(over group: ProcessGroup) -> ExecutionPlan {
        let scores: ScorePlan
        switch self.scores {
        case .dense: scores = .gathered(group)
        case .tiled(let rows), .gathered(_, let rows): scores = .gathered(group, rows: rows)
        }
        switch self {
        case .whole: return .whole(scores)
        case .cached(let chunk, _): return .cached(chunk: chunk, scores: scores)
        }
    }
}
