import ConcordCore
import ConcordTensor
import Foundation

/// A classification head with an additive angular margin (ArcFace, Deng et al. 2019), after pytorch_metric_learning's
/// `ArcFaceLoss`.
///
/// With the angle `θ` between an embedding and the weight of its class, `cos θ` is replaced by `cos(θ + m)` in the
/// softmax over all classes; where `θ + m` is beyond 180° by `cos θ - m sin m`, so that it keeps falling. The peer's
/// gradient at `θ = 0` is not a number; here it is finite. A zero embedding or weight is at 90° to everything.
public struct ArcFace {
    /// One vector a class, `[classes, width]`; compared by its direction alone. The peer's is the transpose.
    public let weight: Tensor
    /// `m` in degrees, 0...180.
    public let marginDegrees: Double
    /// The factor on cosines, above 0.
    public let scale: Double

    /// A head with random weights: a leaf in float32 that gradients flow to, of draws from the normal distribution.
    ///
    /// - Parameters:
    ///   - generator: draws on the CPU.
    ///   - device: where the weights go.
    /// - Throws: `.invalidArgument`.
    public init(
        classes: Int, width: Int, marginDegrees: Double = 28.6, scale: Double = 64, generator: Generator,
        device: Device = .cpu
    ) throws(ConcordError) {
        let weight = try ProxyTable.make(
            classes: classes, width: width, standardDeviation: 1, generator: generator, device: device)
        try self.init(weight: weight, marginDegrees: marginDegrees, scale: scale)
    }

    /// A head with given weights `[classes, width]`, used as they are.
    ///
    /// - Throws: `.invalidArgument`, or what is wrong with the weights.
    public init(weight: Tensor, marginDegrees: Double = 28.6, scale: Double = 64) throws(ConcordError) {
        try LossInput.checkEmbeddings(weight, "weight")
        try LossInput.checkPositive(scale, "scale")
        guard (0...180).contains(marginDegrees) else {
            throw ConcordError(.invalidArgument, "marginDegrees is \(marginDegrees); it must be in 0...180")
        }
        self.weight = weight
        self.marginDegrees = marginDegrees
        self.scale = scale
    }

    /// The mean cross-entropy over a batch.
    ///
    /// - Parameters:
    ///   - embeddings: `[count, width]`, of any floating-point type, computed in at least float32; divided by their
    ///     length first, as are the weights, with 1e-12 as the least.
    ///   - labels: int64 `[count]`, in `0..<classes`.
    /// - Returns: the loss, `[]`.
    /// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch`, `.nonFiniteValue`, or `.invalidArgument` for a label
    ///   that is no class.
    public func callAsFunction(_ embeddings: Tensor, labels: Tensor) throws(ConcordError) -> Tensor {
        let margin = marginDegrees * .pi / 180
        return try ProxyTable.marginSoftmax(embeddings, labels: labels, weight: weight, scale: scale) {
            cosines, rows, targets in
            // As √(1 - cos²) the sine would lose its digits at small angles and have an infinite gradient at 0. Between
            // unit vectors it is also half the product of the diagonals of the rhombus that they span.
            let area =
                (rows - targets).norm(axes: [1], keepingAxes: true)
                * (rows + targets).norm(axes: [1], keepingAxes: true) / 2  // [count, 1]
            let sines = Tensor.where(withoutGradient { rows.areUnit.logicalAnd(targets.areUnit) }, area, 1)
            let turned = cosines * cos(margin) - sines * sin(margin)
            let staysBelowHalfTurn = cosines.greaterOrEqual(to: -cos(margin))
            return Tensor.where(staysBelowHalfTurn, turned, cosines - margin * sin(margin))
        }
    }

    /// Scaled cosines of embeddings `[count, width]` with every class, without the margin: `[count, classes]`.
    ///
    /// - Throws: what is wrong with the embeddings.
    public func logits(_ embeddings: Tensor) throws(ConcordError) -> Tensor {
        try ProxyTable.check(embeddings, proxies: weight, "weight")
        return withFullPrecision(on: embeddings.device) { ProxyTable.cosines(embeddings, weight) * scale }
    }
}

/// A classification head with an additive margin on cosines (CosFace, Wang et al. 2018), after pytorch_metric_learning's
/// `CosFaceLoss`.
///
/// The cosine of an embedding and the weight of its class is lowered by the margin in the softmax over all classes.
public struct CosFace {
    /// One vector a class, `[classes, width]`; compared by its direction alone. The peer's is the transpose.
    public let weight: Tensor
    /// What the cosine with the right class is lowered by.
    public let margin: Double
    /// The factor on cosines, above 0.
    public let scale: Double

    /// A head with random weights: a leaf in float32 that gradients flow to, of draws from the normal distribution.
    ///
    /// - Parameters:
    ///   - generator: draws on the CPU.
    ///   - device: where the weights go.
    /// - Throws: `.invalidArgument`.
    public init(
        classes: Int, width: Int, margin: Double = 0.35, scale: Double = 64, generator: Generator,
        device: Device = .cpu
    ) throws(ConcordError) {
        let weight = try ProxyTable.make(
            classes: classes, width: width, standardDeviation: 1, generator: generator, device: device)
        try self.init(weight: weight, margin: margin, scale: scale)
    }

    /// A head with given weights `[classes, width]`, used as they are.
    ///
    /// - Throws: `.invalidArgument`, or what is wrong with the weights.
    public init(weight: Tensor, margin: Double = 0.35, scale: Double = 64) throws(ConcordError) {
        try LossInput.checkEmbeddings(weight, "weight")
        try LossInput.checkPositive(scale, "scale")
        try LossInput.checkNumber(margin, "margin", 0...)
        self.weight = weight
        self.margin = margin
        self.scale = scale
    }

    /// The mean cross-entropy over a batch.
    ///
    /// - Parameters:
    ///   - embeddings: `[count, width]`, of any floating-point type, computed in at least float32; divided by their
    ///     length first, as are the weights, with 1e-12 as the least.
    ///   - labels: int64 `[count]`, in `0..<classes`.
    /// - Returns: the loss, `[]`.
    /// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch`, `.nonFiniteValue`, or `.invalidArgument` for a label
    ///   that is no class.
    public func callAsFunction(_ embeddings: Tensor, labels: Tensor) throws(ConcordError) -> Tensor {
        try ProxyTable.marginSoftmax(embeddings, labels: labels, weight: weight, scale: scale) { cosines, _, _ in
            cosines - margin
        }
    }

    /// Scaled cosines of embeddings `[count, width]` with every class, without the margin: `[count, classes]`.
    ///
    /// - Throws: what is wrong with the embeddings.
    public func logits(_ embeddings: Tensor) throws(ConcordError) -> Tensor {
        try ProxyTable.check(embeddings, proxies: weight, "weight")
        return withFullPrecision(on: embeddings.device) { ProxyTable.cosines(embeddings, weight) * scale }
    }
}

/// The proxy anchor loss (Kim et al. 2020), after pytorch_metric_learning's `ProxyAnchorLoss`: one learned proxy a class
/// is the anchor that all embeddings of the batch are compared with.
///
/// With cosines `s`, a proxy costs `log(1 + Σ exp(-α (s - δ)))` over the embeddings of its class and
/// `log(1 + Σ exp(α (s + δ)))` over the others. The first is averaged over the proxies whose class is in the batch, the
/// second over all.
public struct ProxyAnchor {
    /// One vector a class, `[classes, width]`; compared by its direction alone.
    public let proxies: Tensor
    /// `δ`, what a cosine must be above or below zero.
    public let margin: Double
    /// `α`, the factor in the exponent, above 0.
    public let scale: Double

    /// A loss with random proxies: a leaf in float32 that gradients flow to, of draws from the normal distribution with
    /// standard deviation `√(2 / classes)`, as the peer's.
    ///
    /// - Parameters:
    ///   - generator: draws on the CPU.
    ///   - device: where the proxies go.
    /// - Throws: `.invalidArgument`.
    public init(
        classes: Int, width: Int, margin: Double = 0.1, scale: Double = 32, generator: Generator,
        device: Device = .cpu
    ) throws(ConcordError) {
        let proxies = try ProxyTable.make(
            classes: classes, width: width, standardDeviation: (2 / Double(max(1, classes))).squareRoot(),
            generator: generator, device: device)
        try self.init(proxies: proxies, margin: margin, scale: scale)
    }

    /// A loss with given proxies `[classes, width]`, used as they are.
    ///
    /// - Throws: `.invalidArgument`, or what is wrong with the proxies.
    public init(proxies: Tensor, margin: Double = 0.1, scale: Double = 32) throws(ConcordError) {
        try LossInput.checkEmbeddings(proxies, "proxies")
        try LossInput.checkPositive(scale, "scale")
        try LossInput.checkFiniteNumber(margin, "margin")
        self.proxies = proxies
        self.margin = margin
        self.scale = scale
    }

    /// The loss of a batch.
    ///
    /// - Parameters:
    ///   - embeddings: `[count, width]`, of any floating-point type, computed in at least float32; divided by their
    ///     length first, as are the proxies, with 1e-12 as the least.
    ///   - labels: int64 `[count]`, in `0..<classes`.
    /// - Returns: the loss, `[]`.
    /// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch`, `.nonFiniteValue`, or `.invalidArgument` for a label
    ///   that is no class.
    public func callAsFunction(_ embeddings: Tensor, labels: Tensor) throws(ConcordError) -> Tensor {
        try ProxyTable.check(embeddings, proxies: proxies, "proxies")
        let classes = proxies.size(0)
        try LossInput.checkClassLabels(labels, of: embeddings, classes: classes)
        return try finiteLoss(on: embeddings.device) {
            let cosines = ProxyTable.cosines(proxies, embeddings)  // [classes, count]
            let positives = Tensor.arange(Double(classes), device: labels.device).unsqueezed(1)
                .equal(to: labels.unsqueezed(0))  // [classes, count]
            let zero = Tensor.zeros([], dtype: cosines.dtype, device: cosines.device)
            let pull = LabeledPairs.logSumExp((margin - cosines) * scale, where: positives).logAddExp(zero)
            let push = LabeledPairs.logSumExp((cosines + margin) * scale, where: positives.logicalNot())
                .logAddExp(zero)
            let present = positives.any(axis: 1).to(cosines.dtype).sum()
            return pull.sum() / present + push.sum() / Double(classes)
        }
    }
}

/// What the losses with one learned vector a class share.
enum ProxyTable {
    /// A leaf `[classes, width]` of draws from a normal distribution, made on the CPU in float32, so that every device
    /// starts from the same values.
    ///
    /// - Throws: `.invalidArgument` when a count is not positive.
    static func make(
        classes: Int, width: Int, standardDeviation: Double, generator: Generator, device: Device
    ) throws(ConcordError) -> Tensor {
        for (name, count) in [("classes", classes), ("width", width)] where count < 1 {
            throw ConcordError(.invalidArgument, "\(name) is \(count); it must be at least 1")
        }
        let drawn = Tensor.normal([classes, width], standardDeviation: standardDeviation, generator: generator)
        let leaf = drawn.to(device)
        leaf.requiresGradient = true
        return leaf
    }

    /// Cosines of embeddings `[count, width]` and proxies `[classes, width]`: `[count, classes]`.
    static func cosines(_ embeddings: Tensor, _ proxies: Tensor) -> Tensor {
        embeddings.precise.unitVectors
            .matmul(proxies.precise.unitVectors.transposed(0, 1))
    }

    /// - Throws: what is wrong with the embeddings, or with them beside the proxies.
    static func check(_ embeddings: Tensor, proxies: Tensor, _ proxiesName: String) throws(ConcordError) {
        try LossInput.checkEmbeddings(embeddings, "embeddings")
        try LossInput.checkComparable(embeddings, "embeddings", proxies, proxiesName)
    }

    /// The mean cross-entropy of scaled cosines in which that of the right class is made smaller by `penalize`.
    ///
    /// - Parameter penalize: takes the cosines with the right class `[count, 1]`, the unit embeddings and the unit
    ///   weights of their classes, each `[count, width]`; returns what takes the cosines' place.
    static func marginSoftmax(
        _ embeddings: Tensor, labels: Tensor, weight: Tensor, scale: Double,
        penalize: (_ cosines: Tensor, _ rows: Tensor, _ targets: Tensor) -> Tensor
    ) throws(ConcordError) -> Tensor {
        try check(embeddings, proxies: weight, "weight")
        try LossInput.checkClassLabels(labels, of: embeddings, classes: weight.size(0))
        return try finiteLoss(on: embeddings.device) {
            let rows = embeddings.precise.unitVectors
            let columns = weight.precise.unitVectors
            let cosines = rows.matmul(columns.transposed(0, 1))  // [count, classes]
            let right = labels.unsqueezed(1)  // [count, 1]
            let penalized = penalize(
                cosines.gathered(axis: 1, right), rows, columns.indexSelected(axis: 0, labels))
            let logits = cosines.scattered(axis: 1, right, penalized) * scale
            return Tensor.crossEntropy(logits, targets: labels)
        }
    }
}
