import ConcordCore
import ConcordTensor

/// A loss that is a sum over the rows of a batch, each row compared with all columns.
///
/// Conforming is all that a loss needs to run under every ``ScorePlan``: a plan calls it with as many rows at a time as
/// memory allows, and takes the gradients of each call by automatic differentiation.
public protocol RowwiseLoss: ContrastiveLoss {
    /// Tensors besides the embeddings that gradients flow to, such as a logit scale.
    var parameters: [Tensor] { get }

    /// Whether the second embeddings are compared with the first, too, and the mean of both losses is taken.
    var isSymmetric: Bool { get }

    /// Whether a batch in which no term counts is an error, because its samples have no positives, or a loss of 0.
    var needsPositives: Bool { get }

    /// Checks the loss's own settings.
    ///
    /// - Throws: `.invalidArgument`, `.shapeMismatch` or `.nonFiniteValue`.
    func checkSettings() throws(ConcordError)

    /// The terms of some rows.
    ///
    /// - Parameters:
    ///   - rows: embeddings `[rows, width]`, at least float32.
    ///   - columns: embeddings of the whole batch `[columns, width]`, at least float32.
    ///   - block: where the rows stand in the batch, and which columns belong to them.
    /// - Returns: the sum of the terms, `[]`, differentiable; and how many terms the mean over the batch counts, `[]`,
    ///   without gradient.
    func terms(rows: Tensor, columns: Tensor, block: RowBlock) -> (sum: Tensor, count: Tensor)
}

extension RowwiseLoss {
    public var parameters: [Tensor] { [] }
    public var isSymmetric: Bool { false }
    public var needsPositives: Bool { false }
    public func checkSettings() throws(ConcordError) {}
}
