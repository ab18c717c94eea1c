import ConcordTensor

/// Which columns are positives and which negatives of a block of anchors, as booleans `[rows, columns]`.
struct BlockPairs {
    let positives: Tensor
    let negatives: Tensor

    init(_ block: RowBlock, columns: Tensor) {
        let device = columns.device
        let rows = Tensor.arange(Double(block.rows.lowerBound), Double(block.rows.upperBound), device: device)
        let places = Tensor.arange(Double(columns.size(0)), device: device)
        let own = rows.unsqueezed(1).equal(to: places.unsqueezed(0))
        var same = own
        if let rowLabels = block.rowLabels, let columnLabels = block.columnLabels {
            same = rowLabels.unsqueezed(1).equal(to: columnLabels.unsqueezed(0))
        }
        positives = block.comparesWithItself ? same.logicalAnd(own.logicalNot()) : same
        negatives = same.logicalNot()
    }
}
