import ConcordCore
import ConcordTensor

/// The pairwise sigmoid loss of SigLIP (Zhai et al. 2023): each pair of a batch is classified by itself, matching or
/// not.
///
/// Without labels and masks it is this, which the tests hold it to:
/// ```swift
/// func plainSigmoidLoss(_ images: Tensor, _ texts: Tensor, logitScale: Tensor, logitBias: Tensor) -> Tensor {
///     let count = images.size(0)
///     let logits = images.matmul(texts.transposed(0, 1)) * logitScale.exp() + logitBias  // [count, count]
///     let signs = Tensor.identity(count, dtype: logits.dtype) * 2 - 1  // 1 for pairs, −1 for all others
///     return -(signs * logits).logSigmoid().sum() / Double(count)
/// }
/// ```
/// open_clip divides by its process's own batch and averages over processes, which is the same where all have equally
/// many samples.
public struct SigmoidLoss: RowwiseLoss {
    /// Logarithm of the logit scale, which scores are multiplied by, `[]`; SigLIP begins at ln 10.
    public var logitScale: Tensor
    /// Bias of the logits, `[]`; SigLIP begins at −10.
    public var logitBias: Tensor
    /// The effect of a label that several samples share; labels are optional.
    public var duplicates = DuplicatePolicy.positives

    public init(logitScale: Tensor, logitBias: Tensor) {
        self.logitScale = logitScale
        self.logitBias = logitBias
    }

    public var parameters: [Tensor] { [logitScale, logitBias] }

    public func checkSettings() throws(ConcordError) {
        try LossInput.checkLogitScale(logitScale)
        try LossInput.checkLogitParameter(logitBias, "logitBias")
    }

    public func terms(rows: Tensor, columns: Tensor, block: RowBlock) -> (sum: Tensor, count: Tensor) {
        func value(_ parameter: Tensor) -> Tensor { parameter.to(rows.dtype).to(rows.device) }
        // [rows, columns]
        let logits = rows.matmul(columns.transposed(0, 1)) * value(logitScale).exp() + value(logitBias)
        let pairs = block.pairs(with: columns, duplicates: duplicates)
        // −log σ(z) for positives, −log σ(−z) for the others.
        var terms = Tensor.where(pairs.positives, logits, logits.neg()).logSigmoid().neg()
        if let compared = pairs.compared { terms = terms.maskedFilled(compared.logicalNot(), 0) }
        return (terms.sum(), Tensor(Double(rows.size(0)), dtype: .int64, device: rows.device))
    }
}
