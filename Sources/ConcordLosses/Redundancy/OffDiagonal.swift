import ConcordTensor

/// The part of a square matrix beside its diagonal.
enum OffDiagonal {
    /// The sum of the squares of a matrix `[width, width]` beside its diagonal.
    static func sumOfSquares(_ matrix: Tensor) -> Tensor {
        let diagonal = Tensor.identity(matrix.size(0), dtype: matrix.dtype, device: matrix.device)
        return (matrix * (1 - diagonal)).square().sum()
    }
}
