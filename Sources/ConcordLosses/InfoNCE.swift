import ConcordCore
import ConcordTensor
import Foundation

/// InfoNCE (van den Oord et al. 2018), the loss of CLIP: the cross-entropy of finding each sample's partner among all
/// samples of the batch.
///
/// With the defaults it is this (Radford et al. 2021, figure 3), which the tests hold it to:
/// ```swift
/// func plainInfoNCE(_ images: Tensor, _ texts: Tensor, logitScale: Tensor) -> Tensor {
///     let logits = images.matmul(texts.transposed(0, 1)) * logitScale.exp()  // [count, count]
///     let partners = Tensor.arange(Double(images.size(0)))  // text i belongs to image i
///     let byImage = Tensor.crossEntropy(logits, targets: partners)
///     let byText = Tensor.crossEntropy(logits.transposed(0, 1), targets: partners)
///     return (byImage + byText) / 2
/// }
/// ```
/// The rest is for other needs: labels and masks, smoothing, hard negatives, and plans that never hold all logits.
/// Several positives of a sample share its probability evenly, as in the outer form of SupCon (Khosla et al. 2020,
/// equation 2). A sample without a positive does not count in the mean of its direction.
public struct InfoNCE: RowwiseLoss {
    /// Logarithm of the logit scale, which scores are multiplied by, `[]`; it learns when it requires a gradient.
    public var logitScale: Tensor
    /// Whether the loss is the mean of both directions, or of the first side's alone.
    public var isSymmetric = true
    /// The effect of a label that several samples share; labels are optional.
    public var duplicates = DuplicatePolicy.positives
    /// Share of the probability that is spread evenly over all samples compared, 0..<1 (Szegedy et al. 2016).
    public var labelSmoothing = 0.0
    /// Weight of hard negatives: `hardness · score`, without gradient, is added to the logits of negatives (Lan et al.
    /// 2025; `hardness_strength` of sentence-transformers). With unit vectors the score is the cosine.
    public var hardness = 0.0
    /// Whether the positives are left out of the denominator (DCL, Yeh et al. 2022).
    public var isDecoupled = false

    /// - Parameter logitScale: the logarithm of the logit scale, `[]`: minus that of the temperature.
    public init(logitScale: Tensor) {
        self.logitScale = logitScale
    }

    /// - Parameter temperature: divides the scores, above 0; it does not learn.
    /// - Throws: `.invalidArgument`.
    public init(temperature: Double) throws(ConcordError) {
        try LossInput.checkTemperature(temperature, "temperature")
        logitScale = Tensor(-Foundation.log(temperature), dtype: .float64)
    }

    public var parameters: [Tensor] { [logitScale] }
    public var needsPositives: Bool { true }

    public func checkSettings() throws(ConcordError) {
        guard (0..<1).contains(labelSmoothing) else {
            throw ConcordError(.invalidArgument, "labelSmoothing is \(labelSmoothing); it must be in 0..<1")
        }
        try LossInput.checkNumber(hardness, "hardness", 0...)
        try LossInput.checkLogitScale(logitScale)
    }

    public func terms(rows: Tensor, columns: Tensor, block: RowBlock) -> (sum: Tensor, count: Tensor) {
        let scale = logitScale.to(rows.dtype).to(rows.device).exp()
        let scores = rows.matmul(columns.transposed(0, 1))  // [rows, columns]
        // Relative to the row's largest score, which cancels: logits near 100 would leave few digits for a small loss
        // and for the gradient of the scale.
        var logits = (scores - scores.detached().max(axes: [1], keepingAxes: true)) * scale
        let pairs = block.pairs(with: columns, duplicates: duplicates)
        if hardness > 0 { logits = logits + (scores.detached() * hardness).maskedFilled(pairs.positives, 0) }
        let counts = pairs.positives.sum(axes: [1])  // [rows]
        let hasPositive = counts.greater(than: 0)
        let weights = pairs.positives.to(rows.dtype) / counts.clamped(min: 1).unsqueezed(1).to(rows.dtype)
        var matched = (logits * weights).sum(axes: [1])
        var denominator = logits
        if let compared = pairs.compared {
            denominator = logits.maskedFilled(compared.logicalNot(), -.infinity)
        }
        if labelSmoothing > 0 {
            let spread = pairs.compared.map {
                logits.maskedFilled($0.logicalNot(), 0).sum(axes: [1])
                    / $0.sum(axes: [1]).clamped(min: 1).to(rows.dtype)
            }
            matched = matched * (1 - labelSmoothing) + (spread ?? logits.mean(axes: [1])) * labelSmoothing
        }
        if isDecoupled { denominator = denominator.maskedFilled(pairs.positives, -.infinity) }
        // A row without negatives has a denominator of 0: its term is 0 and does not count.
        let comparable = isDecoupled ? denominator.greater(than: -.infinity).any(axis: 1) : hasPositive
        let counted = hasPositive.logicalAnd(comparable)
        let normalizer = denominator.maskedFilled(counted.logicalNot().unsqueezed(1), 0).logSumExp(axes: [1])
        let terms = (normalizer - matched).maskedFilled(counted.logicalNot(), 0)
        return (terms.sum(), counted.sum())
    }
}
