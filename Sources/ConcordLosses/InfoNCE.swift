import ConcordCore
import ConcordTensor
import Foundation

/// InfoNCE (van den Oord et al. 2018): the cross-entropy of telling each sample's positives from all other samples.
///
/// With the defaults it is CLIP's loss (Radford et al. 2021, figure 3): the mean of both directions. Several positives
/// of a sample share its probability evenly, as in the outer form of SupCon (Khosla et al. 2020, equation 2). A sample
/// without a positive does not count in the mean of its direction.
public struct InfoNCE: RowwiseLoss {
    /// The logarithm of the factor on scores, `[]`; it learns when it requires a gradient.
    public var logitScale: Tensor
    /// Whether the second side is told apart by the first, too.
    public var isSymmetric = true
    /// What samples with the same label are to each other, where labels are given.
    public var duplicates = DuplicatePolicy.positives
    /// The part of the probability that is spread evenly over all samples compared, 0..<1 (Szegedy et al. 2016).
    public var labelSmoothing = 0.0
    /// Adds `hardness · score`, without gradient, to the logits of negatives, so that near ones count more (Lan et al.
    /// 2025; `hardness_strength` of sentence-transformers). With unit vectors the score is the cosine.
    public var hardness = 0.0
    /// Whether the positives are left out of the denominator (DCL, Yeh et al. 2022).
    public var isDecoupled = false

    /// - Parameter logitScale: the logarithm of the factor on scores, `[]`.
    public init(logitScale: Tensor) {
        self.logitScale = logitScale
    }

    /// - Parameter temperature: what scores are divided by, above 0; it does not learn.
    /// - Throws: `.invalidArgument`.
    public init(temperature: Double) throws(ConcordError) {
        try LossInput.checkTemperature(temperature, "temperature")
        logitScale = Tensor(-Foundation.log(temperature), dtype: .float64)
    }

    public var parameters: [Tensor] { [logitScale] }
    public var needsPositives: Bool { true }

    public func callAsFunction(
        _ first: Tensor, _ second: Tensor, labels: Tensor?, masks: PairMasks, plan: ScorePlan
    ) throws(ConcordError) -> Tensor {
        let batch = PairBatch(first: first, second: second, labels: labels, masks: masks)
        let isPlain =
            isSymmetric && !isDecoupled && hardness == 0 && masks.isEmpty
            && (labels == nil || duplicates == .negatives)
        switch plan {
        case .dense: return try mean(batch, plan)
        case .tiled(let rows): return isPlain ? try tiled(batch, plan, rows: rows, nil) : try mean(batch, plan)
        case .gathered(let group, let rows):
            return isPlain ? try tiled(batch, plan, rows: rows, group) : try mean(batch, plan)
        }
    }

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
        // Relative to the row's largest score, which cancels: logits near 100 would leave few digits for a small loss, and
        // for the gradient of the scale.
        var logits = (scores - scores.detached().max(axes: [1], keepingAxes: true)) * scale
        let own = block.ownColumns(count: columns.size(0), device: rows.device)
        let (positives, compared) = pairs(block, own: own)

        if hardness > 0 {
            let shift = scores.detached() * hardness
            logits = logits + (positives.map { shift.maskedFilled($0, 0) } ?? shift.maskedFilled(own, 0))
        }
        // [rows]
        let targets = positives ?? own
        let counts = targets.sum(axes: [1])
        let hasPositive = counts.greater(than: 0)
        let weights = targets.to(rows.dtype) / counts.clamped(min: 1).unsqueezed(1).to(rows.dtype)
        var matched = (logits * weights).sum(axes: [1])
        var denominator = logits
        if let compared {
            denominator = logits.maskedFilled(compared.logicalNot(), -.infinity)
        }
        if labelSmoothing > 0 {
            let spread = compared.map {
                logits.maskedFilled($0.logicalNot(), 0).sum(axes: [1])
                    / $0.sum(axes: [1]).clamped(min: 1).to(rows.dtype)
            }
            matched = matched * (1 - labelSmoothing) + (spread ?? logits.mean(axes: [1])) * labelSmoothing
        }
        if isDecoupled { denominator = denominator.maskedFilled(targets, -.infinity) }
        // A row with nothing to be told from has a denominator of 0: its term is 0 and does not count.
        let comparable = isDecoupled ? denominator.greater(than: -.infinity).any(axis: 1) : hasPositive
        let counted = hasPositive.logicalAnd(comparable)
        let normalizer = denominator.maskedFilled(counted.logicalNot().unsqueezed(1), 0).logSumExp(axes: [1])
        let terms = (normalizer - matched).maskedFilled(counted.logicalNot(), 0)
        return (terms.sum(), counted.sum())
    }

    /// Which columns are positives, nil for the row's own; and which stand in the denominator, nil for all.
    private func pairs(_ block: RowBlock, own: Tensor) -> (positives: Tensor?, compared: Tensor?) {
        var positives = block.positives
        var ignored = block.ignored
        if let same = block.sameLabels {
            switch duplicates {
            case .negatives: break
            case .positives:
                positives = positives.map { $0.logicalOr(same) } ?? same
            case .ignored:
                let others = same.logicalAnd((positives ?? own).logicalNot())
                ignored = ignored.map { $0.logicalOr(others) } ?? others
            }
        }
        if block.comparesWithItself {
            ignored = ignored.map { $0.logicalOr(own) } ?? own
        }
        let compared = ignored?.logicalNot()
        if let compared { positives = (positives ?? own).logicalAnd(compared) }
        return (positives, compared)
    }
}

/// What two different samples of the same label are to each other.
public enum DuplicatePolicy: String, Sendable, CaseIterable {
    /// Negatives like all others: labels do not count.
    case negatives
    /// Neither positives nor negatives: the pair is left out, as a caption that fits two pictures of the batch should be.
    case ignored
    /// Positives of each other.
    case positives
}
