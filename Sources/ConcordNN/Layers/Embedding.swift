import ConcordTensor

/// A table of vectors: ids `[…]` → `[…, width]`, key `weight` `[count, width]`.
public struct Embedding {
    public let weight: Tensor

    public init(_ scope: ParameterScope, _ count: Int, _ width: Int, initializer: Initializer) {
        weight = scope.parameter("weight", [count, width], initializer)
    }

    public func callAsFunction(_ ids: Tensor) -> Tensor { .embedding(ids, weight: weight) }
}
