import ConcordTensor

/// The negatives of each anchor by distance, so that those within an interval are counted by a search instead of being
/// looked at one by one. Made and used without gradients.
struct SortedNegatives {
    /// Distances in rising order `[rows, columns]`; infinite past the negatives.
    let distances: Tensor
    /// The columns that they belong to, `[rows, columns]`; equally far ones in the order of columns.
    let columns: Tensor
    /// How many there are, `[rows, 1]`.
    let counts: Tensor

    init(_ distances: Tensor, _ negatives: Tensor) {
        let sorted = distances.maskedFilled(negatives.logicalNot(), .infinity).sorted(axis: 1)
        self.distances = sorted.values.contiguous()
        columns = sorted.indices
        counts = negatives.sum(axes: [1], keepingAxes: true)
    }

    /// How many negatives of each row are nearer than the limits `[rows, limits]`; or not farther.
    func count(_ limits: Tensor, inclusive: Bool) -> Tensor {
        Tensor.callOperator(
            "aten::searchsorted.Tensor",
            [.tensor(distances), .tensor(limits.contiguous()), .bool(false), .bool(inclusive)])[0]
    }
}
