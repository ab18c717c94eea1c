import ConcordCore
import ConcordTensor

/// The triplet loss of given triplets (Schroff et al. 2015, "FaceNet"): an anchor should be closer to its positive than
/// to its negative, by a margin.
///
/// With the Euclidean distance and the hinge it equals torch's `triplet_margin_loss`, with the other distances
/// `triplet_margin_with_distance_loss`. Half-precision embeddings are compared in float32. Only
/// ``EmbeddingDistance/cosine`` normalizes.
///
/// - Parameters:
///   - anchor: embeddings `[count, width]` of a floating-point type.
///   - positive: an embedding for each anchor that should be close to it, `[count, width]`.
///   - negative: an embedding for each anchor that should be far from it, `[count, width]`.
///   - margin: the distance by which the negative should be farther, at least 0.
///   - swap: whether to use the positive's distance to the negative where it is smaller (Balntas et al. 2016).
///   - penalty: the shape of the loss. Softplus includes the margin; 0 gives the soft margin of Hermans et al. 2017.
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

/// The triplet loss over all triplets, or mined ones, of a labeled batch: see ``TripletMarginLoss`` for the options.
///
/// Anchors are processed in blocks, and the backward pass runs each block's forward pass again, so that memory grows
/// with the batch and not with its square. Half-precision embeddings are compared in float32. A batch without
/// triplets, such as one in which every label occurs once, has loss 0 with gradient 0.
///
/// - Parameters:
///   - embeddings: `[count, width]` of a floating-point type.
///   - labels: the class of each embedding, int64 `[count]`.
/// - Returns: the mean loss, `[]`, at least float32.
/// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch`, `.nonFiniteValue` or `.invalidArgument`.
public func tripletLoss(
    embeddings: Tensor, labels: Tensor, margin: Double = 1, distance: EmbeddingDistance = .euclidean(),
    penalty: TripletPenalty = .hinge, mining: TripletMining = .all, averaging: TripletAveraging = .nonZero
) throws(ConcordError) -> Tensor {
    let loss = try TripletMarginLoss(
        margin: margin, distance: distance, penalty: penalty, mining: mining, averaging: averaging)
    try LossInput.checkEmbeddings(embeddings, "embeddings")
    try LossInput.checkLabels(labels, "labels", of: embeddings, "embeddings")
    return try mean(of: loss, anchors: embeddings, labels, candidates: embeddings, labels, comparesWithItself: true)
}

/// The triplet loss between two modalities: anchors of one, their positives and negatives of the other.
///
/// For both directions add the loss with the two swapped. Blocks, half precision and batches without triplets are
/// handled as by ``tripletLoss(embeddings:labels:margin:distance:penalty:mining:averaging:)``.
///
/// - Parameters:
///   - anchors: `[anchors, width]` of a floating-point type.
///   - candidates: the other modality's embeddings `[candidates, width]`, of the same type.
///   - anchorLabels: int64 `[anchors]`.
///   - candidateLabels: int64 `[candidates]`. Both nil: anchor `i` matches candidate `i` alone, and there must be a
///     candidate for each anchor.
/// - Returns: the mean loss, `[]`, at least float32.
/// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch`, `.nonFiniteValue` or `.invalidArgument`, also when
///   only one side has labels.
public func tripletLoss(
    anchors: Tensor, candidates: Tensor, anchorLabels: Tensor? = nil, candidateLabels: Tensor? = nil,
    margin: Double = 1, distance: EmbeddingDistance = .euclidean(), penalty: TripletPenalty = .hinge,
    mining: TripletMining = .all, averaging: TripletAveraging = .nonZero
) throws(ConcordError) -> Tensor {
    let loss = try TripletMarginLoss(
        margin: margin, distance: distance, penalty: penalty, mining: mining, averaging: averaging)
    try LossInput.checkEmbeddings(anchors, "anchors")
    try LossInput.checkEmbeddings(candidates, "candidates")
    try LossInput.checkSameWidth(anchors, "anchors", candidates, "candidates")
    switch (anchorLabels, candidateLabels) {
    case (let anchorLabels?, let candidateLabels?):
        try LossInput.checkLabels(anchorLabels, "anchorLabels", of: anchors, "anchors")
        try LossInput.checkLabels(candidateLabels, "candidateLabels", of: candidates, "candidates")
    case (nil, nil):
        guard candidates.size(0) >= anchors.size(0) else {
            throw ConcordError(
                .shapeMismatch,
                "anchors has shape \(anchors.shape) and candidates \(candidates.shape); without labels anchor i "
                    + "matches candidate i, so there must be at least \(anchors.size(0)) candidates")
        }
    default:
        throw ConcordError(
            .invalidArgument,
            "\(anchorLabels == nil ? "candidateLabels" : "anchorLabels") are given, the other side's are not; give "
                + "both, or neither where anchor i matches candidate i")
    }
    return try mean(
        of: loss, anchors: anchors, anchorLabels, candidates: candidates, candidateLabels, comparesWithItself: false)
}

/// The mean of a loss over all anchors, in blocks that keep their temporaries small.
private func mean(
    of loss: TripletMarginLoss, anchors: Tensor, _ anchorLabels: Tensor?, candidates: Tensor,
    _ candidateLabels: Tensor?,
    comparesWithItself: Bool
) throws(ConcordError) -> Tensor {
    try finiteLoss(on: anchors.device) {
        let (anchors, candidates) = (anchors.precise, candidates.precise)
        var total = Tensor.zeros([2], dtype: anchors.dtype, device: anchors.device)  // sum and count
        for range in RowRanges(rows: anchors.size(0), columns: candidates.size(0)) {
            let block = RowBlock(
                rows: range, rowLabels: anchorLabels?.narrowed(axis: 0, from: range.lowerBound, count: range.count),
                columnLabels: candidateLabels, comparesWithItself: comparesWithItself)
            let rows = anchors.narrowed(axis: 0, from: range.lowerBound, count: range.count)
            total =
                total
                + checkpointed([rows, candidates]) { inputs in
                    let terms = loss.terms(rows: inputs[0], columns: inputs[1], block: block)
                    return Tensor.stacked([terms.sum, terms.count])
                }
        }
        let count = total.detached().selected(axis: 0, at: 1)
        return total.selected(axis: 0, at: 0) / count.clamped(min: 1)
    }
}

/// The rows of a matrix in blocks of about `elements` elements, in order.
struct RowRanges: Sequence {
    let rows: Int
    let step: Int

    init(rows: Int, columns: Int, elements: Int = 1 << 20) {
        self.rows = rows
        step = Swift.max(1, elements / Swift.max(1, columns))
    }

    func makeIterator() -> some IteratorProtocol<Range<Int>> {
        stride(from: 0, to: rows, by: step).lazy.map { $0..<Swift.min($0 + step, rows) }.makeIterator()
    }
}
