import ConcordCore
import ConcordTensor

/// Statements about single pairs of a batch, bool `[count, batch]`: a row for each sample of this process, a column for
/// each sample of the batch of all processes.
///
/// A sample need not have a positive. ``InfoNCE`` leaves an anchor without one out of its mean, in either direction,
/// ``BatchTriplets`` forms no triplet with it, and ``SigmoidLoss`` counts its negatives.
public struct PairMasks {
    /// Where true, the second embedding of the column is a positive of the first of the row. Where labels are given, too,
    /// they add positives as the loss's `sameLabel` says. Nil: labels alone decide, or places where there are none.
    public var positives: Tensor?
    /// Where true, the pair is neither positive nor negative: false negatives, such as captions that fit, too.
    public var ignored: Tensor?

    public init(positives: Tensor? = nil, ignored: Tensor? = nil) {
        self.positives = positives
        self.ignored = ignored
    }

    var isEmpty: Bool { positives == nil && ignored == nil }

    /// - Parameters:
    ///   - first: embeddings of the rows `[rows, width]`.
    ///   - columns: samples of the whole batch.
    /// - Throws: `.shapeMismatch` or `.dtypeMismatch`.
    func check(_ first: Tensor, columns: Int) throws(ConcordError) {
        let rows = first.size(0)
        for case let (name, mask?) in [("positives", positives), ("ignored", ignored)] {
            guard mask.shape == [rows, columns] else {
                throw ConcordError(
                    .shapeMismatch, "masks.\(name) has shape \(mask.shape); it must be [\(rows), \(columns)]")
            }
            guard mask.dtype == .bool, mask.device == first.device else {
                throw ConcordError(
                    .dtypeMismatch,
                    "masks.\(name) of shape \(mask.shape) is \(mask.dtype.rawValue) on \(mask.device); it must be bool on "
                        + "\(first.device)")
            }
        }
    }
}
