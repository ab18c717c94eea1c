import ConcordCore
import ConcordTensor

/// Any loss over embeddings, at several widths at once (Kusupati et al. 2022), after sentence-transformers'
/// `MatryoshkaLoss`: embeddings trained this way can later be truncated and still be compared.
///
/// ```swift
/// let loss = try matryoshkaLoss(embeddings: [embeddings], dimensions: [512, 256, 128]) { cut throws(ConcordError) in
///     try multiSimilarityLoss(embeddings: cut[0], labels: labels)
/// }
/// ```
///
/// - Parameters:
///   - embeddings: tensors `[count, width]` of any floating-point type; all are truncated. Counts may differ.
///   - dimensions: numbers of leading columns, each in 1...width and once; include the width to train it too.
///   - weights: the weight of the loss at each dimension, at least 0; nil for 1 each.
///   - normalizing: whether to normalize the truncated embeddings, which are then at least float32.
///   - body: the loss of the truncated embeddings, `[]`. A closure that throws must say `throws(ConcordError)`, because
///     Swift does not infer it.
/// - Returns: the weighted sum, `[]`.
/// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch`, `.nonFiniteValue`, `.invalidArgument` for dimensions or
///   weights, or what `body` throws.
public func matryoshkaLoss(
    embeddings: [Tensor], dimensions: [Int], weights: [Double]? = nil, normalizing: Bool = true,
    body: ([Tensor]) throws(ConcordError) -> Tensor
) throws(ConcordError) -> Tensor {
    guard let first = embeddings.first else {
        throw ConcordError(.emptyBatch, "embeddings holds no tensor; give at least one")
    }
    for (place, tensor) in embeddings.enumerated() {
        try LossInput.checkEmbeddings(tensor, "embeddings[\(place)]")
        try LossInput.checkSameWidth(first, "embeddings[0]", tensor, "embeddings[\(place)]")
    }
    try checkDimensions(dimensions, width: first.size(1))
    let weights = weights ?? dimensions.map { _ in 1 }
    guard weights.count == dimensions.count else {
        throw ConcordError(
            .invalidArgument, "weights has \(weights.count) numbers for \(dimensions.count) dimensions; give one each")
    }
    for (place, weight) in weights.enumerated() {
        try LossInput.checkNumber(weight, "weights[\(place)]", 0...)
    }

    var total: Tensor?
    for (dimension, weight) in zip(dimensions, weights) {
        let truncated = embeddings.map { tensor in
            let cut = tensor.narrowed(axis: 1, from: 0, count: dimension)
            return normalizing ? cut.precise.unitVectors : cut
        }
        let term = try body(truncated) * weight
        total = total.map { $0 + term } ?? term
    }
    guard let total else { throw ConcordError(.invalidArgument, "dimensions is empty; give at least one") }
    return total
}

private func checkDimensions(_ dimensions: [Int], width: Int) throws(ConcordError) {
    guard !dimensions.isEmpty else {
        throw ConcordError(.invalidArgument, "dimensions is empty; give at least one")
    }
    for (place, dimension) in dimensions.enumerated() {
        guard dimension > 0 else {
            throw ConcordError(.invalidArgument, "dimensions[\(place)] is \(dimension); it must be at least 1")
        }
        guard dimension <= width else {
            throw ConcordError(
                .invalidArgument, "dimensions[\(place)] is \(dimension), but the embeddings have a width of \(width)")
        }
        if let earlier = dimensions[..<place].firstIndex(of: dimension) {
            throw ConcordError(
                .invalidArgument,
                "dimensions[\(place)] is \(dimension), as dimensions[\(earlier)] is; give its weight once")
        }
    }
}
