import ConcordCore
import ConcordTensor
import Foundation

/// The spread of the embeddings of one side of a batch over the sphere, over all pairs of different samples.
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

/// The number of directions that embeddings use: the exponential of the entropy of their singular values (Roy &
/// Vetterli 2007; RankMe of Garrido et al. 2023). 1 when all lie on one line, `min(count, width)` when none is
/// preferred.
///
/// Its time grows with count · width²: compute it now and then, not every step.
///
/// - Parameter embeddings: `[count, width]` of a floating-point type; they are normalized here.
/// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch` or `.nonFiniteValue`.
public func effectiveRank(_ embeddings: Tensor) throws(ConcordError) -> Double {
    try LossInput.checkEmbeddings(embeddings, "embeddings")
    return withoutGradient {
        let device = embeddings.device.kind == .mps ? Device.cpu : embeddings.device
        let vectors = embeddings.detached().precise.unitVectors.to(device).to(.float64)
        let transposed = vectors.transposed(0, 1)
        // The smaller of XᵀX and XXᵀ: its eigenvalues are the squares of the singular values.
        let products = vectors.size(0) > vectors.size(1) ? transposed.matmul(vectors) : vectors.matmul(transposed)
        guard let squares = Tensor.callOperator("aten::linalg_eigvalsh", [.tensor(products)]).first else { return .nan }
        let values = squares.scalars(as: Double.self).map { max(0, $0).squareRoot() }
        let total = values.reduce(0, +)
        guard total > 0 else { return 0 }
        let entropy = values.map { $0 / total }.filter { $0 > 0 }.reduce(0) { $0 - $1 * log($1) }
        return exp(entropy)
    }
}

/// A histogram of cosines, with bins of equal width over `-1...1`.
public struct CosineHistogram: Sendable, Hashable {
    /// Cosines in each bin, from -1 to 1. A bin holds its lower end; the last holds 1, too.
    package private(set) var counts: [Int]

    /// A histogram without cosines.
    init(bins: Int) { counts = [Int](repeating: 0, count: bins) }

    /// The width of a bin.
    package var binWidth: Double { 2 / Double(counts.count) }
    /// The middle of each bin.
    package var centers: [Double] { counts.indices.map { (Double($0) + 0.5) * binWidth - 1 } }
    /// The share of all cosines in each bin; zeros without cosines.
    package var shares: [Double] {
        let total = counts.reduce(0, +)
        return counts.map { total == 0 ? 0 : Double($0) / Double(total) }
    }

    /// The bin of each cosine, int64 of the same shape.
    static func bins(of cosines: Tensor, count: Int) -> Tensor {
        // Rounding may leave a cosine a little outside.
        ((cosines + 1) * (Double(count) / 2)).floor().clamped(min: 0, max: Double(count - 1)).to(.int64)
    }

    /// - Parameter bins: the bins of some cosines, int64.
    mutating func add(bins: Tensor, sign: Int = 1) {
        guard !counts.isEmpty, bins.scalarCount > 0 else { return }
        let added = bins.flattened().countsOfValues(minimumLength: counts.count).scalars(as: Int.self)
        for (bin, count) in added.enumerated() { counts[bin] += sign * count }
    }
}
