import ConcordCore
import ConcordTensor

/// The AnglE loss (Li & Li 2023), after sentence-transformers' `AnglELoss`: ``cosentLoss(first:second:scores:scale:)``
/// with the angle between embeddings as complex numbers in place of the cosine, since a cosine near ±1 has hardly a
/// gradient.
///
/// The first half of an embedding are real parts and the second half imaginary parts; to an odd width a zero is
/// appended. The similarity is the absolute value of the real plus the imaginary part of the scalar product of unit
/// vectors. The peer's form for more than two columns, in which scores become positives and negatives of an anchor, is
/// not here: repeat the anchor in `first` for it.
///
/// - Parameters:
///   - first: `[pairs, width]`, of any floating-point type, computed in at least float32; divided by their length first,
///     with 1e-12 as the least.
///   - second: the other side of each pair, like `first`.
///   - scores: `[pairs]`, of a floating-point type or int64; only their order counts.
///   - scale: the factor on similarities, above 0.
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
