import ConcordCore
import ConcordTensor

/// How far a student's embeddings are from a teacher's of the same samples, after sentence-transformers'
/// `EmbedDistillLoss` (Reimers & Gurevych 2020 with the squared error).
///
/// - Parameters:
///   - student: `[count, width]`, of any floating-point type, computed in at least float32. With `.cosine` divided by
///     their length first, with 1e-12 as the least (the peer: 1e-8); else taken as they are.
///   - teacher: embeddings of the same samples, like `student`; no gradient flows to them. A teacher of another width is
///     refused: its columns mean something else, so put a linear layer on the student, or compare similarities with
///     ``similarityDistillationLoss(studentFirst:studentSecond:teacherFirst:teacherSecond:studentScale:teacherScale:subtractingEntropy:)``.
///   - distance: what is averaged.
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
