import ConcordCore
import ConcordTensor

/// The distance between two embeddings.
public enum EmbeddingDistance: Hashable, Sendable {
    /// The p-norm of the difference. Embeddings are compared as they are: normalize them first to compare
    /// directions.
    case euclidean(p: Double = 2)
    /// The square of the Euclidean distance.
    case squaredEuclidean
    /// One minus the cosine of the angle, in `0...2`; embeddings are normalized. A zero vector is at distance 1 from
    /// everything.
    case cosine

    /// - Throws: `.invalidArgument` unless p is finite and at least 1, where it is a distance.
    func check() throws(ConcordError) {
        if case .euclidean(let p) = self { try LossInput.checkNumber(p, "p of the Euclidean distance", 1...) }
    }
}

extension EmbeddingDistance {
    /// Distances between equal rows of `[count, width]` and `[count, width]`: `[count]`.
    ///
    /// As torch's `pairwise_distance`, the Euclidean one adds 1e-6 to each difference, so that its gradient is finite
    /// where two embeddings are equal.
    func paired(_ first: Tensor, _ second: Tensor) -> Tensor {
        switch self {
        case .euclidean(let p): (first - second + 1e-6).norm(p: p, axes: [-1])
        case .squaredEuclidean: (first - second).square().sum(axes: [-1])
        case .cosine: 1 - (first.unitVectors * second.unitVectors).sum(axes: [-1])
        }
    }

    /// Distances of all rows `[rows, width]` to all columns `[columns, width]`: `[rows, columns]`, in the type of the
    /// embeddings, at least float32.
    ///
    /// Equal embeddings are at Euclidean distance 0 exactly, with gradient 0, and a column's repetitions are equally
    /// far. That makes ties ties, whatever the block of rows: float64 takes differences first, which is slow, and
    /// float32 multiplies matrices in float64, which leaves all of float32's digits to small distances. Cosines of
    /// float64 tie up to their rounding.
    func matrix(_ rows: Tensor, _ columns: Tensor) -> Tensor {
        switch self {
        case .euclidean(let p) where p != 2 || rows.dtype == .float64:
            return Self.differencesFirst(rows, columns, p: p)
        case .squaredEuclidean where rows.dtype == .float64:
            return Self.differencesFirst(rows, columns, p: 2).square()
        case .euclidean:
            let (squares, isZero) = Self.squares(rows, columns)
            // The square root of 0 has no gradient: 1 stands in, and is taken out again.
            return squares.maskedFilled(isZero, 1).sqrt().maskedFilled(isZero, 0).to(rows.dtype)
        case .squaredEuclidean:
            let (squares, isZero) = Self.squares(rows, columns)
            return squares.maskedFilled(isZero, 0).to(rows.dtype)
        case .cosine:
            let (left, right) = (rows.to(.float64).unitVectors, columns.to(.float64).unitVectors)
            return (1 - left.matmul(right.transposed(0, 1))).to(rows.dtype)
        }
    }

    /// Distances of each row `[rows, width]` to one column of `[columns, width]`, whose indices are `[rows, 1]`: what
    /// ``matrix(_:_:)`` has at those places, up to rounding, without the matrix.
    func chosen(_ rows: Tensor, _ columns: Tensor, _ indices: Tensor) -> Tensor {
        let places = indices.squeezed(1)
        let (left, right) = (rows.to(.float64), columns.indexSelected(axis: 0, places).to(.float64))
        switch self {
        case .euclidean(p: 2):
            let squares = (left - right).square().sum(axes: [1], keepingAxes: true)
            let isZero = withoutGradient { squares.equal(to: 0) }
            return squares.maskedFilled(isZero, 1).sqrt().maskedFilled(isZero, 0).to(rows.dtype)
        case .euclidean(let p): return (left - right).norm(p: p, axes: [1], keepingAxes: true).to(rows.dtype)
        case .squaredEuclidean: return (left - right).square().sum(axes: [1], keepingAxes: true).to(rows.dtype)
        case .cosine:
            return (1 - (left.unitVectors * right.unitVectors).sum(axes: [1], keepingAxes: true)).to(rows.dtype)
        }
    }

    private static func differencesFirst(_ rows: Tensor, _ columns: Tensor, p: Double) -> Tensor {
        // Mode 2 keeps libtorch from the product of matrices, whose rounding depends on the shapes.
        Tensor.callOperator("aten::cdist", [.tensor(rows), .tensor(columns), .double(p), .int(2)])[0]
    }

    /// Squared distances in float64, `[rows, columns]`, and where they are nothing but rounding.
    private static func squares(_ rows: Tensor, _ columns: Tensor) -> (squares: Tensor, isZero: Tensor) {
        let (rows, columns) = (rows.to(.float64), columns.to(.float64))
        let lengths =
            rows.square().sum(axes: [1], keepingAxes: true)  // [rows, 1]
            + columns.square().sum(axes: [1]).unsqueezed(0)  // [1, columns]
        let squares = lengths - rows.matmul(columns.transposed(0, 1)) * 2
        return (squares, withoutGradient { squares.lessOrEqual(to: lengths * 1e-14) })
    }
}
