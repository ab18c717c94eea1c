/// What a miner finds, block by block.
public protocol MinedIndices {
    /// The findings of several blocks of anchors, in their order.
    init(joining parts: [Self])
}
