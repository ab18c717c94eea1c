import ConcordCore
import ConcordTensor

/// The contrastive loss (Hadsell, Chopra & LeCun 2006), after pytorch_metric_learning's `ContrastiveLoss`: positives are
/// pulled to within one margin, negatives pushed beyond another.
///
/// With a distance `d`, positive pairs cost `max(0, d - positiveMargin)` and negative pairs
/// `max(0, negativeMargin - d)`; with a scalar product the signs are turned. The loss is the mean of the positive terms
/// that are above zero plus the mean of the negative terms that are above zero.
///
/// - Parameters:
///   - embeddings: `[count, width]`, of any floating-point type, computed in at least float32.
///   - labels: int64 `[count]`; pairs of equal labels are positives.
///   - reference: `[columns, width]`, what to compare the embeddings with, such as ``EmbeddingQueue/embeddings``; nil
///     compares them with each other, but none with itself.
///   - referenceLabels: int64 `[columns]`, given with `reference`.
///   - ownRows: int64 `[count]`, the row of `reference` that is the embedding itself and is left out, or -1; nil leaves
///     none out. See ``EmbeddingQueue/enqueue(_:labels:)``.
///   - measure: what the margins are compared with.
///   - positiveMargin: by default 0 for distances and 1 for scalar products.
///   - negativeMargin: by default 1 for distances and 0 for scalar products.
///   - normalizing: Divides embeddings by their length first, with 1e-12 as the least.
/// - Returns: the loss, `[]`; 0 with zero gradients where there is no pair. Unlike the peer, which takes a batch with
///   at most one positive and one negative pair for an empty one, a single pair with a reference counts.
/// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch`, `.nonFiniteValue` or `.invalidArgument`.
public func contrastiveLoss(
    embeddings: Tensor, labels: Tensor, reference: Tensor? = nil, referenceLabels: Tensor? = nil,
    ownRows: Tensor? = nil, measure: PairMeasure = .euclideanDistance, positiveMargin: Double? = nil,
    negativeMargin: Double? = nil, normalizing: Bool = true
) throws(ConcordError) -> Tensor {
    let positiveMargin = positiveMargin ?? (measure == .dotProduct ? 1 : 0)
    let negativeMargin = negativeMargin ?? (measure == .dotProduct ? 0 : 1)
    try LossInput.checkFiniteNumber(positiveMargin, "positiveMargin")
    try LossInput.checkFiniteNumber(negativeMargin, "negativeMargin")
    let pairs = try LabelledPairs(
        embeddings: embeddings, labels: labels, reference: reference, referenceLabels: referenceLabels,
        ownRows: ownRows, normalizing: normalizing)

    return try finiteLoss(on: embeddings.device) {
        let positiveExcess: Tensor, negativeExcess: Tensor  // [rows, columns]
        switch measure {
        case .euclideanDistance:
            let distances = pairs.distances
            positiveExcess = distances - positiveMargin
            negativeExcess = negativeMargin - distances
        case .dotProduct:
            let products = pairs.products
            positiveExcess = positiveMargin - products
            negativeExcess = products - negativeMargin
        }
        return LabelledPairs.meanOfNonZero(positiveExcess.relu(), where: pairs.positives)
            + LabelledPairs.meanOfNonZero(negativeExcess.relu(), where: pairs.negatives)
    }
}
