import ConcordCore
import ConcordTensor

/// The pairwise sigmoid loss of SigLIP (Zhai et al. 2023): every pair of a batch by itself, matching or not.
///
/// `−Σᵢⱼ log σ(yᵢⱼ · (scale · scoreᵢⱼ + bias)) / N`, with y = 1 for positives and −1 for all others; the sum over a row
/// is one term of the mean. open_clip divides by its process's own batch and averages over processes, which is the same
/// where all have equally many samples.
public struct SigmoidLoss: RowwiseLoss {
    /// The logarithm of the factor on scores, `[]`; SigLIP begins at ln 10.
    public var logitScale: Tensor
    /// What is added to the scaled scores, `[]`; SigLIP begins at −10.
    public var logitBias: Tensor
    /// What samples with the same label are to each other, where labels are given.
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
        let own = block.ownColumns(count: columns.size(0), device: rows.device)
        var positives = block.positives ?? own
        var ignored = block.ignored
        if let same = block.sameLabels {
            switch duplicates {
            case .negatives: break
            case .positives: positives = positives.logicalOr(same)
            case .ignored:
                let others = same.logicalAnd(positives.logicalNot())
                ignored = ignored.map { $0.logicalOr(others) } ?? others
            }
        }
        if block.comparesWithItself { ignored = ignored.map { $0.logicalOr(own) } ?? own }
        // −log σ(z) for positives, −log σ(−z) for the others.
        var terms = Tensor.where(positives, logits, logits.neg()).logSigmoid().neg()
        if let ignored { terms = terms.maskedFilled(ignored, 0) }
        return (terms.sum(), Tensor(Double(rows.size(0)), dtype: .int64, device: rows.device))
    }
}
