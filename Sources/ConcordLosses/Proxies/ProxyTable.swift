import ConcordCore
import ConcordTensor

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
