import ConcordTensor

/// A slowly following copy of the parameters, which as a rule evaluates better than the parameters themselves.
///
/// After step `t` the decay is `min(decay, (1 + t) / (10 + t))`, so that the random start is soon forgotten.
public final class ExponentialMovingAverage {
    public let decay: Double
    private let parameters: [Parameter]
    private let averages: [Tensor]

    public init(_ parameters: [Parameter], decay: Double) {
        self.decay = decay
        self.parameters = parameters
        averages = withoutGradient { parameters.map { $0.tensor.detached().cloned() } }
    }

    /// Moves the averages toward the parameters after update number `step` (from 0).
    public func update(step: Int) {
        let decay = min(decay, Double(1 + step) / Double(10 + step))
        withoutGradient {
            Tensor.foreachLerp(averages, to: parameters.map { $0.tensor.detached() }, weight: 1 - decay)
        }
    }

    /// The averages under the parameters' names.
    public var namedState: [(String, Tensor)] { zip(parameters, averages).map { ($0.name, $1) } }

    /// Takes the averages back from a checkpoint. Throws `.invalidCheckpoint`.
    public func restore(_ tensors: [String: Tensor], path: String) throws {
        try withoutGradient {
            for (name, tensor) in namedState { try tensor.restore(from: tensors, name: name, path: path) }
        }
    }

    /// Runs `body` with the averages in place of the parameters, and puts the parameters back.
    public func withAverages<Result>(_ body: () throws -> Result) rethrows -> Result {
        swap()
        defer { swap() }
        return try body()
    }

    private func swap() {
        withoutGradient {
            for (parameter, average) in zip(parameters, averages) {
                let kept = average.cloned()
                average.copy(from: parameter.tensor)
                parameter.tensor.copy(from: kept)
            }
        }
    }
}
