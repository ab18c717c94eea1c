import ConcordCore
import ConcordTensor

/// The triplet loss (Schroff et al. 2015, "FaceNet") of given triplets: an anchor should be closer to its positive than
/// to its negative, by a margin.
///
/// With the Euclidean distance and the hinge it equals torch's `triplet_margin_loss`, with the other distances
/// `triplet_margin_with_distance_loss`. Half-precision embeddings are compared in float32. Only ``EmbeddingDistance/cosine``
/// normalises.
///
/// - Parameters:
///   - anchor: embeddings `[count, width]` of a floating-point type.
///   - positive: an embedding for each anchor that should be close to it, `[count, width]`.
///   - negative: an embedding for each anchor that should be far from it, `[count, width]`.
///   - margin: how much farther the negative should be, at least 0.
///   - swap: takes the positive's distance to the negative where it is smaller than the anchor's (Balntas et al. 2016).
///   - penalty: the shape of the loss. Softplus has the margin inside; 0 gives the soft margin of Hermans et al. 2017.
///   - reduction: `.none` returns `[count]`.
/// - Returns: the loss, `[]`, at least float32.
/// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch`, `.nonFiniteValue` or `.invalidArgument`.
public func tripletLoss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: Double = 1, distance: EmbeddingDistance = .euclidean(),
    swap: Bool = false, penalty: TripletPenalty = .hinge, reduction: Reduction = .mean
) throws(ConcordError) -> Tensor {
    for (tensor, name) in [(anchor, "anchor"), (positive, "positive"), (negative, "negative")] {
        try LossInput.checkEmbeddings(tensor, name)
    }
    try LossInput.checkAlike(anchor, "anchor", positive, "positive")
    try LossInput.checkAlike(anchor, "anchor", negative, "negative")
    try LossInput.checkNumber(margin, "margin", 0...)
    try distance.check()
    return try finiteLoss(on: anchor.device) {
        let (anchor, positive, negative) = (anchor.precise, positive.precise, negative.precise)
        var toNegative = distance.paired(anchor, negative)
        if swap { toNegative = toNegative.minimum(distance.paired(positive, negative)) }
        let violations = distance.paired(anchor, positive) - toNegative + margin  // [count]
        // torch's hinge still pulls at a violation of exactly 0, as clamping does.
        let losses = penalty == .hinge ? violations.clamped(min: 0) : penalty(violations)
        return switch reduction {
        case .none: losses
        case .mean: losses.mean()
        case .sum: losses.sum()
        }
    }
}
