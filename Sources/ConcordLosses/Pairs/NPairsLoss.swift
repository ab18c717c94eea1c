import ConcordCore
import ConcordTensor

/// The N-pairs loss (Sohn 2016), after pytorch_metric_learning's `NPairsLoss`: one pair of every class, each anchor to be
/// told apart from the positives of the other classes.
///
/// The first two embeddings of each class that has two are its anchor and its positive; other embeddings take no part.
/// The loss is the mean over these classes of the cross-entropy of the anchor's scalar products with all positives.
///
/// - Parameters:
///   - embeddings: `[count, width]`, of any floating-point type, computed in at least float32.
///   - labels: int64 `[count]`.
///   - normalizing: Divides embeddings by their length first, with 1e-12 as the least, as the peer does; the paper
///     compares by plain scalar products.
/// - Returns: the loss, `[]`; 0 with zero gradients where no class has two embeddings.
/// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch` or `.nonFiniteValue`.
public func nPairsLoss(
    embeddings: Tensor, labels: Tensor, normalizing: Bool = true
) throws(ConcordError) -> Tensor {
    try LossInput.checkEmbeddings(embeddings, "embeddings")
    try LossInput.checkLabels(labels, "labels", of: embeddings, "embeddings")
    let pairs = firstPairs(of: labels.scalars(as: Int.self))

    return try finiteLoss(on: embeddings.device) {
        let vectors = embeddings.precise
        guard !pairs.isEmpty else { return (vectors * 0).sum() }
        let prepared = normalizing ? vectors.unitVectors : vectors
        let device = embeddings.device
        let anchors = prepared.indexSelected(axis: 0, Tensor(pairs.map(\.anchor), device: device))
        let positives = prepared.indexSelected(axis: 0, Tensor(pairs.map(\.positive), device: device))
        let products = anchors.matmul(positives.transposed(0, 1))  // [classes, classes]
        return Tensor.crossEntropy(products, targets: .arange(Double(pairs.count), device: device))
    }
}

/// The places of the first two equal labels of every class that has two.
private func firstPairs(of labels: [Int]) -> [(anchor: Int, positive: Int)] {
    var pairs: [(anchor: Int, positive: Int)] = []
    var anchors: [Int: Int] = [:]
    var paired: Set<Int> = []
    for (place, label) in labels.enumerated() where !paired.contains(label) {
        if let anchor = anchors[label] {
            pairs.append((anchor, place))
            paired.insert(label)
        } else {
            anchors[label] = place
        }
    }
    return pairs
}
