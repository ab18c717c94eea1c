import ConcordCore
import ConcordTensor

/// Statements about single pairs of a batch, bool `[count, batch]`: a row for each sample of this process, a column for
/// each sample of the batch of all processes.
public struct PairMasks {
    /// Where true, the second embedding of the column is a positive of the first of the row. Nil: labels decide.
    public var positives: Tensor?
    /// Where true, the pair is neither positive nor negative: false negatives, such as captions that fit, too.
    public var ignored: Tensor?

    public init(positives: Tensor? = nil, ignored: Tensor? = nil) {
        self.positives = positives
        self.ignored = ignored
    }

    var isEmpty: Bool { positives == nil && ignored == nil }

    /// - Parameter columns: samples of the whole batch.
    /// - Throws: `.shapeMismatch`, `.dtypeMismatch`, or `.missingPositive` for an anchor that is left without one.
    func check(rows: Int, columns: Int) throws(ConcordError) {
        for case let (name, mask?) in [("positives", positives), ("ignored", ignored)] {
            guard mask.shape == [rows, columns] else {
                throw ConcordError(
                    .shapeMismatch, "masks.\(name) has shape \(mask.shape); it must be [\(rows), \(columns)]")
            }
            guard mask.dtype == .bool else {
                throw ConcordError(
                    .dtypeMismatch, "masks.\(name) of shape \(mask.shape) is \(mask.dtype.rawValue); it must be bool")
            }
        }
        guard let positives else { return }
        let left = ignored.map { positives.logicalAnd($0.logicalNot()) } ?? positives
        for (axis, side) in [(1, "row"), (0, "column")] where axis == 1 || rows == columns {
            let missing = left.any(axis: axis).logicalNot().nonzero()
            guard missing.size(0) == 0 else {
                let index = missing.scalars(as: Int.self)[0]
                throw ConcordError(
                    .missingPositive,
                    "masks.positives of shape \(positives.shape) leaves \(side) \(index) without a positive"
                        + (ignored == nil ? "" : " that masks.ignored does not take away")
                        + "; \(missing.size(0)) are so. Mark one, or leave the sample out")
            }
        }
    }
}
