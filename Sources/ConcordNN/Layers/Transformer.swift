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
    public func callAsFunction(_ x: Tensor, mask: Tensor? = nil) -> Tensor { self(x, mask: mask) { $0 } }

    /// The tokens that `choose` takes out of the last block's result; see ``TransformerBlock``.
    public func callAsFunction(_ x: Tensor, mask: Tensor? = nil, choose: @escaping (Tensor) -> Tensor) -> Tensor {
        guard !blocks.isEmpty else { return choose(x) }
        return blocks.enumerated().reduce(x) { x, numbered in
            let (number, block) = numbered, chooses = number == blocks.count - 1 ? choose : { $0 }
            guard store.isTraining, store.usesActivationCheckpointing else {
                return block(x, mask: mask, choose: chooses)
            }
            return checkpointed([x], generators: [store.generator]) { block($0[0], mask: mask, choose: chooses) }
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
