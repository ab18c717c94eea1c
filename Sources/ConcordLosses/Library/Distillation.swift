import ConcordCore
import ConcordTensor

/// The distance of a student's embeddings from a teacher's of the same samples, after sentence-transformers'
/// `EmbedDistillLoss` (Reimers & Gurevych 2020 with the squared error).
///
/// - Parameters:
///   - student: `[count, width]` of any floating-point type, computed in at least float32. Only `.cosine` normalizes.
///   - teacher: embeddings of the same samples, like `student`; no gradient flows to them. A teacher of another width
///     is an error: its columns mean something else, so put a linear layer on the student, or compare similarities with
///     ``similarityDistillationLoss(studentFirst:studentSecond:teacherFirst:teacherSecond:studentScale:teacherScale:subtractingEntropy:)``.
///   - distance: the distance that is averaged.
/// - Returns: the loss, `[]`.
/// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch` or `.nonFiniteValue`.
public func embeddingDistillationLoss(
    student: Tensor, teacher: Tensor, distance: DistillationDistance = .cosine
) throws(ConcordError) -> Tensor {
    try LossInput.checkEmbeddings(student, "student")
    try LossInput.checkEmbeddings(teacher, "teacher")
    guard student.shape == teacher.shape else {
        let advice =
            student.size(0) == teacher.size(0)
            ? "put a linear layer from \(student.size(1)) to \(teacher.size(1)) on the student"
            : "they must hold the same samples"
        throw ConcordError(
            .shapeMismatch, "student has shape \(student.shape) and teacher \(teacher.shape); \(advice)")
    }
    try LossInput.checkComparable(student, "student", teacher, "teacher")
    return try finiteLoss(on: student.device) {
        let (learned, fixed) = (student.precise, teacher.detached().precise)
        return switch distance {
        case .squaredError: (learned - fixed).square().mean()
        case .cosine: (1 - (learned.unitVectors * fixed.unitVectors).sum(axes: [1])).mean()
        }
    }
}

/// The distance between a student's embedding and its teacher's.
public enum DistillationDistance: Hashable, Sendable {
    /// The squared difference, averaged over rows and columns.
    case squaredError
    /// One less the cosine, averaged over rows.
    case cosine
}

/// The mean squared difference of a student's and a teacher's margins between a positive and negatives (Hofstätter et
/// al. 2020), after sentence-transformers' `MarginMSELoss`.
///
/// - Parameters:
///   - queries: `[count, width]`, of any floating-point type, computed in at least float32.
///   - positives: a passage that answers each query, like `queries`.
///   - negatives: one or more passages for each query that do not, each like `queries`.
///   - teacherMargins: the teacher's score of the positive less that of each negative, `[count, negatives]`, of a
///     floating-point type or int64; no gradient flows to it.
///   - normalizing: whether to compare by cosine instead of the scalar product, which fits most teachers' scores.
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
/// - Throws: the errors of the other form.
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

/// The distance of a student's similarities within a batch from a teacher's, after open_clip's `DistillClipLoss` on one
/// process: the cross-entropy of the softmax over each row and each column of the score matrix.
///
/// Both sides of a sample, such as image and text, are compared with all samples of the other side; the loss is the
/// mean over samples and over both directions. Widths of student and teacher may differ. The peer adds the ordinary
/// contrastive loss to it: ``InfoNCE``.
///
/// - Parameters:
///   - studentFirst: one side, `[count, width]` of any floating-point type, computed in at least float32; it is
///     normalized.
///   - studentSecond: the other side of the same samples, like `studentFirst`.
///   - teacherFirst: `[count, teacher width]`; no gradient flows to it.
///   - teacherSecond: like `teacherFirst`.
///   - studentScale: the student's logit scale, `[]`: one over the temperature; it gets a gradient.
///   - teacherScale: the teacher's logit scale, `[]`; no gradient flows to it.
///   - subtractingEntropy: whether to subtract the teacher's own entropy, which leaves the Kullback-Leibler divergence:
///     0 where student and teacher agree. Gradients are the same.
/// - Returns: the loss, `[]`.
/// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch`, `.nonFiniteValue`, or `.invalidArgument` for a scale
///   that is not above 0.
public func similarityDistillationLoss(
    studentFirst: Tensor, studentSecond: Tensor, teacherFirst: Tensor, teacherSecond: Tensor, studentScale: Tensor,
    teacherScale: Tensor, subtractingEntropy: Bool = false
) throws(ConcordError) -> Tensor {
    try LossInput.checkEmbeddings(studentFirst, "studentFirst")
    try LossInput.checkEmbeddings(studentSecond, "studentSecond")
    try LossInput.checkEmbeddings(teacherFirst, "teacherFirst")
    try LossInput.checkEmbeddings(teacherSecond, "teacherSecond")
    try LossInput.checkAlike(studentFirst, "studentFirst", studentSecond, "studentSecond")
    try LossInput.checkAlike(teacherFirst, "teacherFirst", teacherSecond, "teacherSecond")
    guard studentFirst.size(0) == teacherFirst.size(0) else {
        throw ConcordError(
            .shapeMismatch,
            "studentFirst has shape \(studentFirst.shape) and teacherFirst \(teacherFirst.shape); they must hold the "
                + "same samples")
    }
    // The widths may differ, element types and devices may not.
    try LossInput.checkComparable(
        studentFirst.narrowed(axis: 1, from: 0, count: 1), "studentFirst",
        teacherFirst.narrowed(axis: 1, from: 0, count: 1), "teacherFirst")
    try checkScale(studentScale, "studentScale", of: studentFirst)
    try checkScale(teacherScale, "teacherScale", of: studentFirst)

    return try finiteLoss(on: studentFirst.device) {
        let student = scores(studentFirst, studentSecond, scale: studentScale)
        let teacher = scores(teacherFirst.detached(), teacherSecond.detached(), scale: teacherScale.detached())
        let directions = [1, 0].map { axis in
            let expected = teacher.softmax(axis: axis)
            var gap = -student.logSoftmax(axis: axis)
            if subtractingEntropy { gap = gap + teacher.logSoftmax(axis: axis) }
            return (expected * gap).sum(axes: [axis]).mean()
        }
        return (directions[0] + directions[1]) * 0.5
    }
}

/// ``similarityDistillationLoss(studentFirst:studentSecond:teacherFirst:teacherSecond:studentScale:teacherScale:subtractingEntropy:)``
/// with fixed temperatures, which divide the cosines.
///
/// - Parameters:
///   - studentTemperature: above 0.
///   - teacherTemperature: above 0.
/// - Throws: the errors of the other form; `.invalidArgument` for a temperature that is not above 0.
public func similarityDistillationLoss(
    studentFirst: Tensor, studentSecond: Tensor, teacherFirst: Tensor, teacherSecond: Tensor,
    studentTemperature: Double = 0.07, teacherTemperature: Double = 0.07, subtractingEntropy: Bool = false
) throws(ConcordError) -> Tensor {
    try LossInput.checkTemperature(studentTemperature, "studentTemperature")
    try LossInput.checkTemperature(teacherTemperature, "teacherTemperature")
    let scale: (Double) -> Tensor = {
        Tensor(1 / $0, dtype: studentFirst.dtype == .float64 ? .float64 : .float32, device: studentFirst.device)
    }
    return try similarityDistillationLoss(
        studentFirst: studentFirst, studentSecond: studentSecond, teacherFirst: teacherFirst,
        teacherSecond: teacherSecond, studentScale: scale(studentTemperature),
        teacherScale: scale(teacherTemperature), subtractingEntropy: subtractingEntropy)
}

private func checkScale(_ scale: Tensor, _ name: String, of embeddings: Tensor) throws(ConcordError) {
    guard scale.shape.isEmpty else {
        throw ConcordError(.shapeMismatch, "\(name) has shape \(scale.shape); it must be one number, of shape []")
    }
    guard scale.dtype.isFloatingPoint, scale.device == embeddings.device else {
        throw ConcordError(
            .dtypeMismatch,
            "\(name) is \(scale.dtype.rawValue) on \(scale.device); it must be of a floating-point type on "
                + "\(embeddings.device)")
    }
    try LossInput.checkPositive(scale.detached().item(), name)
}

/// Scaled cosines between both sides, `[count, count]`.
private func scores(_ first: Tensor, _ second: Tensor, scale: Tensor) -> Tensor {
    let (rows, columns) = (first.precise.unitVectors, second.precise.unitVectors)
    return rows.matmul(columns.transposed(0, 1)) * scale.to(rows.dtype)
}
