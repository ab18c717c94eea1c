import ConcordCore
import ConcordTensor

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
