import ConcordTensor

/// A stack of pre-norm blocks, keys `layers.0…`: `[batch, tokens, width] → [batch, tokens, width]`.
public struct Transformer {
    public let blocks: [TransformerBlock]
    private let store: ParameterStore

    public init(_ scope: ParameterScope, _ shape: TransformerShape) {
        blocks = (0..<shape.layers).map { TransformerBlock(scope / "layers" / $0, shape) }
        store = scope.store
    }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        guard store.isTraining, store.usesActivationCheckpointing else { return blocks.reduce(x) { $1($0) } }
        return blocks.reduce(x) { x, block in checkpointed([x], generators: [store.generator]) { block($0[0]) } }
    }
}
