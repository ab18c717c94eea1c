import ConcordCore

extension ProcessGroup {
    /// The rows of all ranks, which may hold different numbers of them.
    package struct GatheredRows {
        /// `[all rows, …]`, rank after rank, without gradient.
        package let all: Tensor
        /// The rows of this rank.
        package let own: Range<Int>
    }

    /// Joins the rows of all ranks along the first axis. The other axes and the dtype are the same on all ranks; a rank
    /// may have no rows.
    ///
    /// - Throws: `.processGroup`, also when shapes or dtypes differ between ranks.
    package func gatherRows(_ tensor: Tensor) throws(ConcordError) -> GatheredRows {
        let tensor = tensor.detached()
        guard worldSize > 1 else { return GatheredRows(all: tensor, own: 0..<tensor.size(0)) }
        let counts = try rowCounts(tensor)
        let longest = counts.max() ?? 0
        let padding = longest - tensor.size(0)
        let padded =
            padding == 0
            ? tensor
            : Tensor.concatenated(
                [tensor, .zeros([padding] + tensor.shape.dropFirst(), dtype: tensor.dtype, device: tensor.device)])
        let parts = try allGather(padded)
        let rows = zip(parts, counts).map { $0.narrowed(axis: 0, from: 0, count: $1) }
        let start = counts[..<rank].reduce(0, +)
        return GatheredRows(all: Tensor.concatenated(rows), own: start..<start + counts[rank])
    }

    /// The number of rows of each rank. Compares shape and dtype first: a mismatch would hang or mix up bytes.
    private func rowCounts(_ tensor: Tensor) throws(ConcordError) -> [Int] {
        let shape = tensor.shape
        let inner = shape.dropFirst()
        let types = DType.allCases
        let form =
            [shape[0], types.firstIndex(of: tensor.dtype) ?? 0, inner.count] + inner
            + Array(repeating: 0, count: 8 - inner.count)
        let forms = try allGather(Tensor(form)).map { $0.scalars(as: Int.self) }
        guard let other = forms.firstIndex(where: { $0.dropFirst() != form.dropFirst() }) else {
            return forms.map { $0[0] }
        }
        let (theirs, type) = (forms[other][3..<3 + forms[other][2]], types[forms[other][1]])
        throw ConcordError(
            .processGroup,
            "rank \(rank) has rows of shape \(Array(inner)) of \(tensor.dtype.rawValue), rank \(other) of "
                + "\(Array(theirs)) of \(type.rawValue); all ranks must embed to the same width and type")
    }
}
