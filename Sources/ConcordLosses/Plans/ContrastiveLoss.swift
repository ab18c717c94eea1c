import ConcordCore
import ConcordTensor

/// A loss over pairs of embeddings: row `i` of one side belongs to row `i` of the other.
///
/// Its value is the mean over the whole batch, and its gradients are those of that mean, whatever the ``ScorePlan``.
public protocol ContrastiveLoss {
    /// The loss of a batch.
    ///
    /// - Parameters:
    ///   - first: embeddings `[count, width]`; scores are dot products, so give unit vectors for cosines.
    ///   - second: embeddings `[count, width]`.
    ///   - labels: int64 `[count]`; samples with the same label match, too. Nil makes each sample a class of its own.
    ///   - masks: pairs that the loss is told about one by one.
    ///   - plan: how the scores are computed.
    /// - Returns: the loss `[]`, float32 or, for float64 embeddings, float64.
    /// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch`, `.nonFiniteValue` or `.invalidArgument`, naming
    ///   argument, shape and index; `.missingPositive` when a loss that needs positives finds none in the whole batch;
    ///   `.processGroup` when another process fails.
    func callAsFunction(
        _ first: Tensor, _ second: Tensor, labels: Tensor?, masks: PairMasks, plan: ScorePlan
    ) throws(ConcordError) -> Tensor
}

extension ContrastiveLoss {
    /// The loss of a batch; see the protocol's requirement.
    public func callAsFunction(
        _ first: Tensor, _ second: Tensor, labels: Tensor? = nil, plan: ScorePlan = .dense
    ) throws(ConcordError) -> Tensor {
        try self(first, second, labels: labels, masks: PairMasks(), plan: plan)
    }
}
