import ConcordRuntime

/// Inputs of a model, one batch after another, as often as they are needed.
///
/// Batches of a few samples are best: all activations of one are in memory at once.
public struct QuantizationBatches: Sendable {
    private let make: @Sendable (Int) throws -> [String: OnnxValue]?

    /// Batches that `make` makes, by their position from 0; nil behind the last. The same position is the same batch.
    public init(_ make: @escaping @Sendable (Int) throws -> [String: OnnxValue]?) { self.make = make }

    public init(_ batches: [[String: OnnxValue]]) {
        make = { batches.indices.contains($0) ? batches[$0] : nil }
    }

    package func batch(_ index: Int) throws -> [String: OnnxValue]? { try make(index) }
}
