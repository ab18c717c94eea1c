import ConcordCore
import ConcordTensor

/// How far a student's similarities within a batch are from a teacher's, after open_clip's `DistillClipLoss` on one
/// process: the cross-entropy of the softmax over each row and each column of the score matrix.
///
/// Both sides of a sample, such as image and text, are compared with all samples of the other side; the loss is the mean
/// over samples and over both directions. Widths of student and teacher may differ. The peer adds the ordinary
/// contrastive loss to it: ``InfoNCE``.
///
/// - Parameters:
///   - studentFirst: one side, `[count, width]`, of any floating-point type, computed in at least float32; divided by
///     their length first, with 1e-12 as the least.
///   - studentSecond: the other side of the same samples, like `studentFirst`.
///   - teacherFirst: `[count, teacher width]`; no gradient flows to it.
///   - teacherSecond: like `teacherFirst`.
///   - studentScale: the factor on the student's cosines, `[]`: one over the temperature, or the exponential of a logit
///     scale, which gets a gradient.
///   - teacherScale: the factor on the teacher's cosines, `[]`; no gradient flows to it.
///   - subtractingEntropy: Subtracts the teacher's own entropy, which leaves the Kullback-Leibler divergence: 0 where
///     student and teacher agree. Gradients are the same.
/// - Returns: the loss, `[]`.
/// - Throws: `.shapeMismatch`, `.dtypeMismatch`, `.emptyBatch`, `.nonFiniteValue`, or `.invalidArgument` for a factor
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
    // The widths may differ, the kinds may not.
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
/// with fixed temperatures, which cosines are divided by.
///
/// - Parameters:
///   - studentTemperature: above 0.
///   - teacherTemperature: above 0.
/// - Throws: as the other, and `.invalidArgument` for a temperature that is not above 0.
public func similarityDistillationLoss(
    studentFirst: Tensor, studentSecond: Tensor, teacherFirst: Tensor, teacherSecond: Tensor,
    studentTemperature: Double = 0.07, teacherTemperature: Double = 0.07, subtractingEntropy: Bool = false
) throws(ConcordError) -> Tensor {
    try LossInput.checkTemperature(studentTemperature, "studentTemperature")
    try LossInput.checkTemperature(teacherTemperature, "teacherTemperature")
    let factor: (Double) -> Tensor = {
        Tensor(1 / $0, dtype: studentFirst.dtype == .float64 ? .float64 : .float32, device: studentFirst.device)
    }
    return try similarityDistillationLoss(
        studentFirst: studentFirst, studentSecond: studentSecond, teacherFirst: teacherFirst,
        teacherSecond: teacherSecond, studentScale: factor(studentTemperature),
        teacherScale: factor(teacherTemperature), subtractingEntropy: subtractingEntropy)
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

/// Scaled cosines of both sides, `[count, count]`.
private func scores(_ first: Tensor, _ second: Tensor, scale: Tensor) -> Tensor {
    let (rows, columns) = (first.precise.unitVectors, second.precise.unitVectors)
    return rows.matmul(columns.transposed(0, 1)) * scale.to(rows.dtype)
}
