import ConcordTensor

/// Zeroes each value with `probability` while training and scales the rest by `1 / (1 − probability)`.
public struct Dropout {
    public let probability: Double
    private let store: ParameterStore

    public init(_ scope: ParameterScope, probability: Double) {
        self.probability = probability
        store = scope.store
    }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        guard store.isTraining, probability > 0 else { return x }
        return x.dropout(probability: probability, generator: store.generator)
    }
}
