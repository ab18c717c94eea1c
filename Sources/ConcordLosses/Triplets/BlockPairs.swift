import ConcordTensor

/// Which columns are positives and which negatives of a block of anchors, as booleans `[rows, columns]`.
struct BlockPairs {
    let positives: Tensor
    let negatives: Tensor

    init(_ block: RowBlock, columns: Tensor, sameLabel: SameLabel = .positives) {
        let own = block.ownColumns(count: columns.size(0), device: columns.device)
        var same = block.positives ?? own
        var ignored = block.ignored
        if let alike = block.sameLabels {
            switch sameLabel {
            case .negatives: break
            case .positives: same = block.positives.map { $0.logicalOr(alike) } ?? alike
            case .ignored:
                let others = alike.logicalAnd(same.logicalNot())
                ignored = ignored.map { $0.logicalOr(others) } ?? others
            }
        }
        if block.comparesWithItself { ignored = ignored.map { $0.logicalOr(own) } ?? own }
        let compared = ignored?.logicalNot()
        positives = compared.map { same.logicalAnd($0) } ?? same
        negatives = compared.map { same.logicalNot().logicalAnd($0) } ?? same.logicalNot()
    }
}
