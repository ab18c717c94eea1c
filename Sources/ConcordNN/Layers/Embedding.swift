import ConcordTensor

/// A table of vectors: ids `[…]` → `[…, width]`, key `weight` `[count, width]`.
public struct Embedding {
    public let weight: Tensor

    /// - Parameters:
    ///   - isTrained: whether training may change the table.
    ///   - resizing: makes the table of a checkpoint's table that has another number of rows.
    public init(
        _ scope: ParameterScope, _ count: Int, _ width: Int, initializer: Initializer, isTrained: Bool = true,
        resizing: ParameterStore.Resizing? = nil
    ) {
        weight = scope.parameter(
            "weight", [count, width], initializer, isTrained: isTrained, resizing: resizing)
    }

    public func callAsFunction(_ ids: Tensor) -> Tensor { .embedding(ids, weight: weight) }
}
