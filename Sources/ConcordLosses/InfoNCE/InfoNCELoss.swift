import ConcordCore
import ConcordTensor
import Foundation

/// InfoNCE of anchors with one positive each and negatives of your choice (van den Oord et al. 2018).
///
/// The cross-entropy of finding the positive among positive and negatives, by cosines over the temperature; the vectors
/// are normalised here. For both directions at once, several positives or large batches see ``InfoNCE``.
///
/// - Parameters:
///   - anchor: `[N, D]`.
///   - positive: `[N, D]`; row `i` belongs to anchor `i`.
///   - negatives: `[M, D]`, shared by all anchors, such as a queue (MoCo, He et al. 2020); or `[N, M, D]`, each anchor's
///     own. Nil takes the positives of the other anchors.
///   - temperature: what cosines are divided by, above 0.
///   - reduction: `.none` gives the loss of each anchor, `[N]`.
/// - Returns: the loss, at least float32.
/// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch`, `.nonFiniteValue` or `.invalidArgument`.
public func infoNCELoss(
    anchor: Tensor, positive: Tensor, negatives: Tensor? = nil, temperature: Double = 0.1,
    reduction: Reduction = .mean
) throws(ConcordError) -> Tensor {
    try LossInput.checkTemperature(temperature, "temperature")
    let scale = Tensor(-Foundation.log(temperature), dtype: .float64)
    return try infoNCELoss(
        anchor: anchor, positive: positive, negatives: negatives, logitScale: scale, reduction: reduction)
}

/// InfoNCE with a temperature that learns.
///
/// - Parameter logitScale: the logarithm of the factor on cosines, `[]`: minus that of the temperature.
public func infoNCELoss(
    anchor: Tensor, positive: Tensor, negatives: Tensor? = nil, logitScale: Tensor, reduction: Reduction = .mean
) throws(ConcordError) -> Tensor {
    try LossInput.checkEmbeddings(anchor, "anchor")
    try LossInput.checkEmbeddings(positive, "positive")
    try LossInput.checkAlike(anchor, "anchor", positive, "positive")
    try LossInput.checkLogitScale(logitScale)
    if let negatives {
        try LossInput.checkEmbeddings(negatives, "negatives", rank: negatives.rank == 3 ? 3 : 2)
        try LossInput.checkSameWidth(anchor, "anchor", negatives, "negatives")
        guard negatives.rank == 2 || negatives.size(0) == anchor.size(0) else {
            throw ConcordError(
                .shapeMismatch,
                "negatives has shape \(negatives.shape); anchor of shape \(anchor.shape) needs "
                    + "[\(anchor.size(0)), count, \(anchor.size(1))] or [count, \(anchor.size(1))]")
        }
    }
    return try finiteLoss(on: anchor.device) {
        let count = anchor.size(0), device = anchor.device
        let a = anchor.precise.unitVectors, p = positive.precise.unitVectors
        var scores: Tensor, targets: Tensor
        if let n = negatives?.precise.unitVectors {
            let own = (a * p).sum(axes: [1], keepingAxes: true)  // [N, 1]
            let others =
                n.rank == 2
                ? a.matmul(n.transposed(0, 1))  // [N, M]
                : n.matmul(a.unsqueezed(2)).squeezed(2)  // [N, M, D] · [N, D, 1] → [N, M]
            scores = Tensor.concatenated([own, others], axis: 1)
            targets = Tensor.zeros([count], dtype: .int64, device: device)
        } else {
            scores = a.matmul(p.transposed(0, 1))
            targets = Tensor.arange(Double(count), device: device)
        }
        scores = scores * logitScale.to(scores.dtype).to(device).exp()
        return Tensor.crossEntropy(scores, targets: targets, reduction: reduction)
    }
}
