import ConcordCore
import ConcordTensor

/// The mean squared difference of cosines and scores, after sentence-transformers' `CosineSimilarityLoss` (Reimers &
/// Gurevych 2019).
///
/// - Parameters:
///   - first: `[pairs, width]` of any floating-point type, computed in at least float32; they are normalized.
///   - second: the other side of each pair, like `first`.
///   - scores: `[pairs]`, the cosines to reach, as a rule in -1...1; of a floating-point type or int64.
/// - Returns: the loss, `[]`.
/// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch` or `.nonFiniteValue`.
public func cosineSimilarityLoss(first: Tensor, second: Tensor, scores: Tensor) throws(ConcordError) -> Tensor {
    try ScoreRanking.check(first, second, scores: scores, scale: 1)
    return try finiteLoss(on: first.device) {
        let cosines = (first.precise.unitVectors * second.precise.unitVectors)
            .sum(axes: [1])
        return (cosines - scores.detached().to(cosines.dtype)).square().mean()
    }
}

/// The CoSENT loss (Su 2022), after sentence-transformers' `CoSENTLoss`: a pair with a higher score shall have the
/// higher cosine.
///
/// The loss is `log(1 + Σ exp(scale · (cosine of i - cosine of j)))` over all `i`, `j` where the score of `j` is higher
/// than that of `i`; pairs of equal scores are not compared. Memory grows with the number of pairs, not its square.
///
/// - Parameters:
///   - first: `[pairs, width]` of any floating-point type, computed in at least float32; they are normalized.
///   - second: the other side of each pair, like `first`.
///   - scores: `[pairs]`, of a floating-point type or int64; only their order counts.
///   - scale: the logit scale, above 0: one over the temperature.
/// - Returns: the loss, `[]`; 0 with zero gradients where all scores are equal.
/// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch`, `.nonFiniteValue` or `.invalidArgument`.
public func cosentLoss(
    first: Tensor, second: Tensor, scores: Tensor, scale: Double = 20
) throws(ConcordError) -> Tensor {
    try ScoreRanking.check(first, second, scores: scores, scale: scale)
    return try finiteLoss(on: first.device) {
        let cosines = (first.precise.unitVectors * second.precise.unitVectors)
            .sum(axes: [1])
        return ScoreRanking.loss(similarities: cosines * scale, scores: scores)
    }
}

/// The AnglE loss (Li & Li 2023), after sentence-transformers' `AnglELoss`: ``cosentLoss(first:second:scores:scale:)``
/// with the angle between embeddings as complex numbers in place of the cosine, since a cosine near ±1 has hardly a
/// gradient.
///
/// The first half of an embedding are real parts and the second half imaginary parts; to an odd width a zero is
/// appended. The similarity is the absolute value of the real plus the imaginary part of the scalar product of unit
/// vectors. The peer's form for more than two columns, in which scores become positives and negatives of an anchor, is
/// not supported: repeat the anchor in `first` instead.
///
/// - Parameters:
///   - first: `[pairs, width]` of any floating-point type, computed in at least float32; they are normalized.
///   - second: the other side of each pair, like `first`.
///   - scores: `[pairs]`, of a floating-point type or int64; only their order counts.
///   - scale: the logit scale, which multiplies similarities, above 0.
/// - Returns: the loss, `[]`; 0 with zero gradients where all scores are equal.
/// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch`, `.nonFiniteValue` or `.invalidArgument`.
public func angleLoss(
    first: Tensor, second: Tensor, scores: Tensor, scale: Double = 20
) throws(ConcordError) -> Tensor {
    try ScoreRanking.check(first, second, scores: scores, scale: scale)
    return try finiteLoss(on: first.device) {
        let (firstReal, firstImaginary) = complexParts(first)
        let (secondReal, secondImaginary) = complexParts(second)
        let real = firstReal * secondReal + firstImaginary * secondImaginary
        let imaginary = firstImaginary * secondReal - firstReal * secondImaginary
        let similarities = (real + imaginary).sum(axes: [1]).abs()
        return ScoreRanking.loss(similarities: similarities * scale, scores: scores)
    }
}

/// The halves of unit vectors, each `[pairs, width / 2]`.
private func complexParts(_ vectors: Tensor) -> (real: Tensor, imaginary: Tensor) {
    let unit = vectors.precise.unitVectors
    let even = unit.size(1).isMultiple(of: 2) ? unit : unit.padded([0, 1])
    let half = even.size(1) / 2
    return (even.narrowed(axis: 1, from: 0, count: half), even.narrowed(axis: 1, from: half, count: half))
}

/// Helpers of the losses over scored pairs.
enum ScoreRanking {
    /// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch`, `.nonFiniteValue` or `.invalidArgument`.
    static func check(_ first: Tensor, _ second: Tensor, scores: Tensor, scale: Double) throws(ConcordError) {
        try LossInput.checkPositive(scale, "scale")
        try LossInput.checkEmbeddings(first, "first")
        try LossInput.checkEmbeddings(second, "second")
        try LossInput.checkAlike(first, "first", second, "second")
        try LossInput.checkScores(scores, "scores", shape: [first.size(0)], of: first, "first")
    }

    /// `log(1 + Σ exp(similarity of i - similarity of j))` over all `i`, `j` where the score of `j` is the higher.
    ///
    /// The pairs of pairs are never stored: sorted by score, all `j` of an `i` are a tail of the list, whose summed
    /// exponentials one running sum from the end has ready.
    ///
    /// - Parameters:
    ///   - similarities: scaled similarities `[pairs]`.
    ///   - scores: `[pairs]`.
    static func loss(similarities: Tensor, scores: Tensor) -> Tensor {
        let (sortedScores, order) = scores.detached().sorted(axis: 0)
        let ranked = similarities.indexSelected(axis: 0, order)
        // The first place whose score is higher, which is past the end for the highest ones.
        let tails = Tensor.callOperator(
            "aten::searchsorted.Tensor",
            [.tensor(sortedScores), .tensor(sortedScores.contiguous()), .bool(false), .bool(true)])[0]
        let running = Tensor.callOperator("aten::logcumsumexp", [.tensor((-ranked).flipped(axes: [0])), .int(0)])[0]
        let nothing = Tensor.full([1], -.infinity, dtype: ranked.dtype, device: ranked.device)
        let tailSums = Tensor.concatenated([running.flipped(axes: [0]), nothing], axis: 0).indexSelected(axis: 0, tails)
        let one = Tensor.zeros([1], dtype: ranked.dtype, device: ranked.device)
        return Tensor.concatenated([one, ranked + tailSums], axis: 0).logSumExp(axes: [0])
    }
}
