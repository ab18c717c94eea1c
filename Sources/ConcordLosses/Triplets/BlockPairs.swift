import ConcordTensor

/// Which columns are positives and which negatives of a block of anchors, as booleans `[rows, columns]`.
struct BlockPairs {
    let positives: Tensor
    let negatives: Tensor

    init(_ block: RowBlock, columns: Tensor) {
        let own = block.ownColumns(count: columns.size(0), device: columns.device)
        var same = block.sameLabels ?? own
        if let marked = block.positives { same = block.sameLabels.map { marked.logicalOr($0) } ?? marked }
        var ignored = block.ignored
        if block.comparesWithItself { ignored = ignored.map { $0.logicalOr(own) } ?? own }
        let compared = ignored?.logicalNot()
        positives = compared.map { same.logicalAnd($0) } ?? same
        negatives = compared.map { same.logicalNot().logicalAnd($0) } ?? same.logicalNot()
    }
}
