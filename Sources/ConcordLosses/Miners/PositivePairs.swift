import ConcordTensor

/// The positive pairs of a block of anchors, some at a time, each to be looked at with all columns as negatives.
struct PositivePairs {
    /// Places in the block, int64 `[pairs]`.
    let rows: Tensor
    /// Places of the positives, int64 `[pairs]`.
    let columns: Tensor

    /// All pairs in row-major order, in parts of about `elements` triplets.
    static func parts(_ pairs: BlockPairs, elements: Int = 1 << 20) -> [PositivePairs] {
        let places = pairs.positives.nonzero()  // [pairs, 2]
        return RowRanges(rows: places.size(0), columns: pairs.positives.size(1), elements: elements).map { range in
            let part = places.narrowed(axis: 0, from: range.lowerBound, count: range.count)
            return PositivePairs(rows: part.selected(axis: 1, at: 0), columns: part.selected(axis: 1, at: 1))
        }
    }

    /// The triplets that a mask `[pairs, columns]` names, as places in the batch.
    func triplets(_ chosen: Tensor, _ block: RowBlock) -> TripletIndices {
        let places = chosen.nonzero()  // [triplets, 2]
        let pair = places.selected(axis: 1, at: 0)
        return TripletIndices(
            anchors: rows.indexSelected(axis: 0, pair) + Double(block.rows.lowerBound),
            positives: columns.indexSelected(axis: 0, pair), negatives: places.selected(axis: 1, at: 1))
    }
}

extension TripletIndices {
    /// No triplets, on a device.
    static func none(like rows: Tensor) -> TripletIndices {
        let empty = Tensor.arange(0, device: rows.device)
        return TripletIndices(anchors: empty, positives: empty, negatives: empty)
    }
}
