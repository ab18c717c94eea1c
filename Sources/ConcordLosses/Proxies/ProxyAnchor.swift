import ConcordCore
import ConcordTensor

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
            let pull = LabelledPairs.logSumExp((margin - cosines) * scale, where: positives).logAddExp(zero)
            let push = LabelledPairs.logSumExp((cosines + margin) * scale, where: positives.logicalNot())
                .logAddExp(zero)
            let present = positives.any(axis: 1).to(cosines.dtype).sum()
            return pull.sum() / present + push.sum() / Double(classes)
        }
    }
}
