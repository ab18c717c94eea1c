import ConcordCore
import ConcordTensor
import Foundation

/// A classification head whose softmax makes the right class harder by a margin: ArcFace (Deng et al. 2019) or CosFace
/// (Wang et al. 2018), after pytorch_metric_learning's `ArcFaceLoss` and `CosFaceLoss`.
///
/// ```swift
/// let head = try MarginHead(classes: 1_000, width: 512, margin: .arcFace(), generator: generator)
/// let loss = try head(embeddings, labels: labels)
/// ```
public struct MarginHead {
    /// The penalty on the cosine between an embedding and the weight of its class.
    public enum Margin: Hashable, Sendable {
        /// Additive on the angle: `cos θ` becomes `cos(θ + m)`, with `m` in degrees, 0...180; where `θ + m` is beyond
        /// 180°, `cos θ - m sin m`, so that it keeps falling.
        ///
        /// The peer's gradient at `θ = 0` is not a number; here it is finite. A zero embedding or weight is at 90° to
        /// everything.
        case arcFace(degrees: Double = 28.6)
        /// Additive on the cosine: `cos θ` becomes `cos θ - m`, with `m` at least 0.
        case cosFace(Double = 0.35)

        /// The cosines with the margin.
        ///
        /// - Parameters:
        ///   - cosines: cosines with the right class `[count, 1]`.
        ///   - rows: the unit embeddings `[count, width]`.
        ///   - targets: the unit weights of their classes `[count, width]`.
        fileprivate func applied(to cosines: Tensor, rows: Tensor, targets: Tensor) -> Tensor {
            switch self {
            case .cosFace(let margin): return cosines - margin
            case .arcFace(let degrees):
                let margin = degrees * .pi / 180
                // As √(1 - cos²) the sine would lose its digits at small angles and have an infinite gradient at 0.
                // Between unit vectors it is also half the product of the diagonals of the rhombus that they span.
                let area =
                    (rows - targets).norm(axes: [1], keepingAxes: true)
                    * (rows + targets).norm(axes: [1], keepingAxes: true) / 2  // [count, 1]
                let sines = Tensor.where(withoutGradient { rows.areUnit.logicalAnd(targets.areUnit) }, area, 1)
                let turned = cosines * cos(margin) - sines * sin(margin)
                let staysBelowHalfTurn = cosines.greaterOrEqual(to: -cos(margin))
                return Tensor.where(staysBelowHalfTurn, turned, cosines - margin * sin(margin))
            }
        }

        fileprivate func check() throws(ConcordError) {
            switch self {
            case .cosFace(let margin): try LossInput.checkNumber(margin, "margin", 0...)
            case .arcFace(let degrees):
                guard (0...180).contains(degrees) else {
                    throw ConcordError(.invalidArgument, "margin is \(degrees) degrees; it must be in 0...180")
                }
            }
        }
    }

    /// One vector a class, `[classes, width]`; only its direction counts. The peer's is the transpose.
    public let weight: Tensor
    package let margin: Margin
    /// Logit scale: multiplies the cosines, above 0.
    package let scale: Double

    /// Makes a head with random weights: a trainable float32 leaf, drawn from the normal distribution.
    ///
    /// - Parameters:
    ///   - generator: draws on the CPU.
    ///   - device: the device of the weights.
    /// - Throws: `.invalidArgument`.
    public init(
        classes: Int, width: Int, margin: Margin, scale: Double = 64, generator: Generator, device: Device = .cpu
    ) throws(ConcordError) {
        let weight = try ProxyTable.make(
            classes: classes, width: width, standardDeviation: 1, generator: generator, device: device)
        try self.init(weight: weight, margin: margin, scale: scale)
    }

    /// Makes a head of given weights `[classes, width]`, used as they are.
    ///
    /// - Throws: `.invalidArgument`; `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch` or `.nonFiniteValue` for the
    ///   weights.
    public init(weight: Tensor, margin: Margin, scale: Double = 64) throws(ConcordError) {
        try LossInput.checkEmbeddings(weight, "weight")
        try LossInput.checkPositive(scale, "scale")
        try margin.check()
        self.weight = weight
        self.margin = margin
        self.scale = scale
    }

    /// The mean cross-entropy over a batch.
    ///
    /// - Parameters:
    ///   - embeddings: `[count, width]` of any floating-point type, computed in at least float32; embeddings and
    ///     weights are normalized.
    ///   - labels: int64 `[count]`, in `0..<classes`.
    /// - Returns: the loss, `[]`.
    /// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch`, `.nonFiniteValue`, or `.invalidArgument` for a
    ///   label that is not a class.
    public func callAsFunction(_ embeddings: Tensor, labels: Tensor) throws(ConcordError) -> Tensor {
        try ProxyTable.check(embeddings, proxies: weight, "weight")
        try LossInput.checkClassLabels(labels, of: embeddings, classes: weight.size(0))
        return try finiteLoss(on: embeddings.device) {
            let rows = embeddings.precise.unitVectors
            let columns = weight.precise.unitVectors
            let cosines = rows.matmul(columns.transposed(0, 1))  // [count, classes]
            let right = labels.unsqueezed(1)  // [count, 1]
            let penalized = margin.applied(
                to: cosines.gathered(axis: 1, right), rows: rows, targets: columns.indexSelected(axis: 0, labels))
            let logits = cosines.scattered(axis: 1, right, penalized) * scale
            return Tensor.crossEntropy(logits, targets: labels)
        }
    }

    /// Scaled cosines of embeddings `[count, width]` with every class, without the margin: `[count, classes]`.
    ///
    /// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch` or `.nonFiniteValue`.
    public func logits(_ embeddings: Tensor) throws(ConcordError) -> Tensor {
        try ProxyTable.check(embeddings, proxies: weight, "weight")
        return withFullPrecision(on: embeddings.device) { ProxyTable.cosines(embeddings, weight) * scale }
    }
}

/// The proxy anchor loss (Kim et al. 2020), after pytorch_metric_learning's `ProxyAnchorLoss`: one learned proxy a
/// class is the anchor that all embeddings of the batch are compared with.
///
/// With cosines `s`, a proxy costs `log(1 + Σ exp(-α (s - δ)))` over the embeddings of its class and
/// `log(1 + Σ exp(α (s + δ)))` over the others. The first is averaged over the proxies whose class is in the batch, the
/// second over all.
public struct ProxyAnchor {
    /// One vector a class, `[classes, width]`; only its direction counts.
    public let proxies: Tensor
    /// `δ`: cosines of positives should be above it, those of negatives below `-δ`.
    package let margin: Double
    /// `α`: scales the exponents, above 0.
    package let scale: Double

    /// Makes a loss with random proxies: a trainable float32 leaf, drawn from the normal distribution with standard
    /// deviation `√(2 / classes)`, as the peer's.
    ///
    /// - Parameters:
    ///   - generator: draws on the CPU.
    ///   - device: the device of the proxies.
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

    /// Makes a loss of given proxies `[classes, width]`, used as they are.
    ///
    /// - Throws: `.invalidArgument`; `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch` or `.nonFiniteValue` for the
    ///   proxies.
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
    ///   - embeddings: `[count, width]` of any floating-point type, computed in at least float32; embeddings and
    ///     proxies are normalized.
    ///   - labels: int64 `[count]`, in `0..<classes`.
    /// - Returns: the loss, `[]`.
    /// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch`, `.nonFiniteValue`, or `.invalidArgument` for a
    ///   label that is not a class.
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

/// Helpers of the losses with one learned vector a class.
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

    /// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch` or `.nonFiniteValue`.
    static func check(_ embeddings: Tensor, proxies: Tensor, _ proxiesName: String) throws(ConcordError) {
        try LossInput.checkEmbeddings(embeddings, "embeddings")
        try LossInput.checkComparable(embeddings, "embeddings", proxies, proxiesName)
    }
}
