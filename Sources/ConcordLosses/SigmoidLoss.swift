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

// Without labels and masks both the loss and its gradients come from one pass over the scores: with logits
// z = s · x·yᵀ + b of N samples, the loss is −Σᵢⱼ log σ(±zᵢⱼ) / N, + for the matching pairs, and dzᵢⱼ = ∓σ(∓zᵢⱼ) / N.
extension SigmoidLoss: LossByFormula {
    func byFormula(_ batch: PairBatch, _ plan: ScorePlan) throws(ConcordError) -> Tensor? {
        guard batch.first.device.kind == .cpu, !batch.comparesWithItself, batch.masks.isEmpty,
            batch.labels == nil || duplicates == .negatives
        else { return nil }
        switch plan {
        case .dense:
            return try onePass(batch, blockRows: ScorePlan.defaultRows, nil) { inputs in
                SigmoidLoss(logitScale: inputs[2], logitBias: inputs[3]).wholeMean(inputs[0], inputs[1])
            }
        case .tiled(let rows): return try onePass(batch, blockRows: rows, nil)
        case .gathered(let group, let rows): return try onePass(batch, blockRows: rows, group)
        }
    }

    /// - Parameter value: the loss by automatic differentiation, for second derivatives.
    private func onePass(
        _ batch: PairBatch, blockRows: Int, _ group: ProcessGroup?, of value: (([Tensor]) -> Tensor)? = nil
    ) throws(ConcordError) -> Tensor {
        let inputs = [batch.first, batch.second, logitScale, logitBias]
        let needsGradient = isGradientEnabled && inputs.contains(where: \.requiresGradient)
        let x = batch.first.detached()  // [own, width]
        let columns = try GatheredBatch(batch.second.detached(), labels: nil, group)
        let count = Double(columns.vectors.size(0))
        return try withoutGradient { () throws(ConcordError) in
            let scale = logitScale.to(x.dtype).exp().item()
            let found = Tensor.sigmoidScores(
                rows: x, columns: columns.vectors, own: columns.own.lowerBound, scale: scale, blockRows: blockRows,
                bias: logitBias.to(x.dtype).item(), factor: scale / count, forGradients: needsGradient)
            let biasGradient = found.sums.selected(axis: 0, at: 1) / count
            let sum = found.sums.selected(axis: 0, at: 0).cloned()
            try group?.allReduce(sum)
            let loss = try LossInput.checkResult(Tensor(sum.item() / count, dtype: x.dtype))
            guard needsGradient else { return loss }
            try group?.allReduce(found.columns)
            let own = found.columns.narrowed(axis: 0, from: columns.own.lowerBound, count: columns.own.count)
            // z − b is proportional to x, so the gradient of log s is Σ dz · (z − b) = Σ dx · x.
            let scaleGradient = found.rows.unsqueezed(1).matmul(x.unsqueezed(2)).to(.float64).sum()
            let ofParameter: (Tensor, Tensor) -> Tensor = { $0.to($1.precise.dtype).to($1.device) }
            return withGradient {
                loss.withGradients(
                    [
                        (batch.first, found.rows), (batch.second, own),
                        (logitScale, ofParameter(scaleGradient, logitScale)),
                        (logitBias, ofParameter(biasGradient, logitBias)),
                    ], of: value)
            }
        }
    }
}
