import ConcordCore
import ConcordTensor
import Foundation

/// How many directions embeddings make use of: the exponential of the entropy of their singular values (Roy & Vetterli
/// 2007; RankMe of Garrido et al. 2023). 1 when all lie on one line, `min(count, width)` when none is preferred.
///
/// Its time grows with count · width²: ask for it now and then, not every step.
///
/// - Parameter embeddings: `[count, width]` of a floating-point type; they are normalised here.
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
