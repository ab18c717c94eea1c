import ConcordCore
import ConcordTensor
import Foundation

/// InfoNCE of anchors with one positive each and explicit negatives (van den Oord et al. 2018).
///
/// The cross-entropy of finding the positive among positive and negatives, by cosines over the temperature; the vectors
/// are normalized here. For both directions at once, several positives or large batches see ``InfoNCE``.
///
/// - Parameters:
///   - anchor: `[N, D]`.
///   - positive: `[N, D]`; row `i` belongs to anchor `i`.
///   - negatives: `[M, D]`, shared by all anchors, such as a queue (MoCo, He et al. 2020); or `[N, M, D]`,
///     separate for each anchor. Nil uses the positives of the other anchors.
///   - temperature: divides the cosines, above 0.
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

/// InfoNCE with a learned temperature.
///
/// - Parameter logitScale: the logarithm of the logit scale, `[]`: minus that of the temperature.
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

// Losses over embeddings of one modality that are compared among themselves. All normalize the vectors.

/// NT-Xent (SimCLR, Chen et al. 2020): each of the 2N views is to find its other view among all views of the batch.
///
/// - Parameters:
///   - first: `[N, D]`, one view of each sample.
///   - second: `[N, D]`, another view of each.
///   - temperature: divides the cosines, above 0.
///   - plan: the plan of the scores.
/// - Returns: the mean over all views, `[]`, at least float32.
/// - Throws: the errors of ``ContrastiveLoss``; `.invalidArgument` for the temperature.
public func ntXentLoss(
    _ first: Tensor, _ second: Tensor, temperature: Double = 0.5, plan: ScorePlan = .dense
) throws(ConcordError) -> Tensor {
    try lossOfViews(first, second, temperature: temperature, isDecoupled: false, plan)
}

/// Decoupled contrastive learning (DCL, Yeh et al. 2022): NT-Xent without the positive in the denominator, which helps
/// small batches.
///
/// Parameters, result and errors are as in ``ntXentLoss(_:_:temperature:plan:)``.
public func decoupledContrastiveLoss(
    _ first: Tensor, _ second: Tensor, temperature: Double = 0.1, plan: ScorePlan = .dense
) throws(ConcordError) -> Tensor {
    try lossOfViews(first, second, temperature: temperature, isDecoupled: true, plan)
}

/// SupCon (Khosla et al. 2020, equation 2): each sample is to find all others of its class in the batch.
///
/// Samples that are alone in their class do not count in the mean. A batch of a single class has no negatives; the loss
/// is then what the equation says, at least ln(N − 1), and still makes the cosines of the class equal.
/// pytorch_metric_learning's `SupConLoss` returns 0 for such a batch, which is deliberately not followed: the batch
/// would silently teach nothing.
///
/// - Parameters:
///   - embeddings: `[N, D]`; views of a sample are rows of their own.
///   - labels: the classes, int64 `[N]`.
///   - temperature: divides the cosines, above 0.
///   - plan: the plan of the scores.
/// - Returns: the mean over all samples that have a positive, `[]`, at least float32.
/// - Throws: the errors of ``ContrastiveLoss``; `.missingPositive` when no sample has one.
public func supConLoss(
    _ embeddings: Tensor, labels: Tensor, temperature: Double = 0.1, plan: ScorePlan = .dense
) throws(ConcordError) -> Tensor {
    try LossInput.checkTemperature(temperature, "temperature")
    try plan.agreed { () throws(ConcordError) in try LossInput.checkVectors(embeddings, "embeddings") }
    return try InfoNCE(temperature: temperature)(embeddings.precise.unitVectors, labels: labels, plan: plan)
}

private func lossOfViews(
    _ first: Tensor, _ second: Tensor, temperature: Double, isDecoupled: Bool, _ plan: ScorePlan
) throws(ConcordError) -> Tensor {
    try LossInput.checkTemperature(temperature, "temperature")
    try plan.agreed { () throws(ConcordError) in
        try LossInput.checkVectors(first, "first")
        try LossInput.checkVectors(second, "second")
        try LossInput.checkAlike(first, "first", second, "second")
    }
    let views = Tensor.concatenated([first.precise, second.precise]).unitVectors  // [2N, D]
    let numbers = try plan.sampleNumbers(count: first.size(0), device: first.device)
    var loss = try InfoNCE(temperature: temperature)
    loss.isDecoupled = isDecoupled
    return try loss(views, labels: Tensor.concatenated([numbers, numbers]), plan: plan)
}

extension ScorePlan {
    /// Numbers of this process's samples that no other process uses, int64 `[count]`.
    fileprivate func sampleNumbers(count: Int, device: Device) throws(ConcordError) -> Tensor {
        var start = 0
        if case .gathered(let group, _) = self {
            let counts = try group.allGather(Tensor([count])).map { Int($0.item()) }
            start = counts[..<group.rank].reduce(0, +)
        }
        return Tensor.arange(Double(start), Double(start + count), device: device)
    }
}
