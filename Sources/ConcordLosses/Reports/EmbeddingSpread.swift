import ConcordTensor
import Foundation

/// How the embeddings of one side of a batch are spread over the sphere, over all pairs of different samples.
public struct EmbeddingSpread: Sendable, Hashable {
    /// `log mean exp(−2‖x − x′‖²)` (Wang & Isola 2020, with their t of 2): 0 when all embeddings are one point, about
    /// −4 when they are spread evenly over a sphere of many dimensions. NaN for fewer than two samples.
    public let uniformity: Double
    /// The mean cosine of two different samples: 1 when all embeddings are one point. NaN for fewer than two.
    public let meanCosine: Double

    /// Measures a block of rows at a time.
    ///
    /// - Parameter vectors: unit vectors or zero vectors `[count, width]`, at least float32.
    init(_ vectors: Tensor, blockRows: Int) {
        let count = vectors.size(0)
        var exponentials = 0.0, cosines = 0.0
        // 1, and 0 of zero vectors, which are one point.
        let squares = vectors.square().sum(axes: [1])
        for start in stride(from: 0, to: count, by: blockRows) {
            let length = min(blockRows, count - start)
            let rows = vectors.narrowed(axis: 0, from: start, count: length)
            // Each pair once: the columns from the block on, above the diagonal.
            let scores = rows.matmul(vectors.narrowed(axis: 0, from: start, count: count - start).transposed(0, 1))
            cosines += scores.triangularUpper(diagonal: 1).sum().item()
            // ‖x − x′‖² = ‖x‖² + ‖x′‖² − 2·cosine. The exponents lie in −8...0, so that a plain sum is safe.
            let sums =
                squares.narrowed(axis: 0, from: start, count: length).unsqueezed(1)
                + squares.narrowed(axis: 0, from: start, count: count - start)
            exponentials += ((scores * 2 - sums) * 2).exp().triangularUpper(diagonal: 1).sum().item()
        }
        let pairs = Double(count) * Double(count - 1) / 2
        uniformity = log(exponentials / pairs)
        meanCosine = cosines / pairs
    }
}
