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
