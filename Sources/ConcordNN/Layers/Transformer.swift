import ConcordTensor

/// A stack of pre-norm blocks, keys `layers.0…`: `[batch, tokens, width] → [batch, tokens, width]`.
public struct Transformer {
    public let blocks: [TransformerBlock]
    private let store: ParameterStore

    public init(_ scope: ParameterScope, _ shape: TransformerShape) {
        blocks = (0..<shape.layers).map { TransformerBlock(scope / "layers" / $0, shape) }
        store = scope.store
    }

    /// - Parameter mask: as ``SelfAttention`` takes it; the same for all blocks.
    public func callAsFunction(_ x: Tensor, mask: Tensor? = nil) -> Tensor {
        guard store.isTraining, store.usesActivationCheckpointing else {
            return blocks.reduce(x) { x, block in block(x, mask: mask) }
        }
        return blocks.reduce(x) { x, block in
            checkpointed([x], generators: [store.generator]) { block($0[0], mask: mask) }
        }
    }

    /// New tokens behind those of the caches, one for each block.
    public func callAsFunction(_ x: Tensor, caches: [KeyValueCache]) -> Tensor {
        precondition(caches.count == blocks.count, "\(caches.count) caches for \(blocks.count) blocks")
        return zip(blocks, caches).reduce(x) { x, pair in pair.0(x, cache: pair.1) }
    }

    /// Empty caches, one for each block.
    public func makeCaches(capacity: Int) -> [KeyValueCache] { blocks.map { _ in KeyValueCache(capacity: capacity) } }
}
