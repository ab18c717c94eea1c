import ConcordCore
import ConcordTensor

/// The mean squared difference of a student's and a teacher's margins between a positive and negatives (Hofstätter et
/// al. 2020), after sentence-transformers' `MarginMSELoss`.
///
/// - Parameters:
///   - queries: `[count, width]`, of any floating-point type, computed in at least float32.
///   - positives: a passage that answers each query, like `queries`.
///   - negatives: one or more passages for each query that do not, each like `queries`.
///   - teacherMargins: the teacher's score of the positive less that of each negative, `[count, negatives]`, of a
///     floating-point type or int64; no gradient flows to it.
///   - normalizing: Compares by cosine (lengths at least 1e-12) in place of the scalar product, which fits most
///     teachers' scores.
/// - Returns: the loss, `[]`, the mean over queries and negatives.
/// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch` or `.nonFiniteValue`.
public func marginMSELoss(
    queries: Tensor, positives: Tensor, negatives: [Tensor], teacherMargins: Tensor, normalizing: Bool = false
) throws(ConcordError) -> Tensor {
    try LossInput.checkEmbeddings(queries, "queries")
    try LossInput.checkEmbeddings(positives, "positives")
    try LossInput.checkAlike(queries, "queries", positives, "positives")
    guard !negatives.isEmpty else {
        throw ConcordError(.emptyBatch, "negatives is empty: there is no margin to compare; give at least one")
    }
    for (place, negative) in negatives.enumerated() {
        try LossInput.checkEmbeddings(negative, "negatives[\(place)]")
        try LossInput.checkAlike(queries, "queries", negative, "negatives[\(place)]")
    }
    try LossInput.checkScores(
        teacherMargins, "teacherMargins", shape: [queries.size(0), negatives.count], of: queries, "queries")

    return try finiteLoss(on: queries.device) {
        let prepared: (Tensor) -> Tensor = {
            let wide = $0.precise
            return normalizing ? wide.unitVectors : wide
        }
        let anchors = prepared(queries)
        let score: (Tensor) -> Tensor = { (anchors * prepared($0)).sum(axes: [1]) }
        let positiveScores = score(positives)
        let margins = Tensor.stacked(negatives.map { positiveScores - score($0) }, axis: 1)  // [count, negatives]
        return (margins - teacherMargins.detached().to(margins.dtype)).square().mean()
    }
}

/// ``marginMSELoss(queries:positives:negatives:teacherMargins:normalizing:)`` with the teacher's scores themselves.
///
/// - Parameter teacherScores: `[count, 1 + negatives]`: of the positive first, then of each negative.
/// - Throws: as the other.
public func marginMSELoss(
    queries: Tensor, positives: Tensor, negatives: [Tensor], teacherScores: Tensor, normalizing: Bool = false
) throws(ConcordError) -> Tensor {
    try LossInput.checkEmbeddings(queries, "queries")
    try LossInput.checkScores(
        teacherScores, "teacherScores", shape: [queries.size(0), 1 + negatives.count], of: queries, "queries")
    let margins =
        teacherScores.narrowed(axis: 1, from: 0, count: 1)
        - teacherScores.narrowed(axis: 1, from: 1, count: negatives.count)
    return try marginMSELoss(
        queries: queries, positives: positives, negatives: negatives, teacherMargins: margins,
        normalizing: normalizing)
}
