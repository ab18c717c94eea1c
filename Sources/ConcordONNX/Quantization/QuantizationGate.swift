/// What a quantized model has to reach.
public struct QuantizationGate: Hashable, Sendable {
    public var minimumMeanCosine: Double
    /// The least value of other measures, by name: `["recall@1": float32 - 0.005]` for half a point.
    public var minimums: [String: Double]

    public init(minimumMeanCosine: Double = 0.995, minimums: [String: Double] = [:]) {
        self.minimumMeanCosine = minimumMeanCosine
        self.minimums = minimums
    }

    /// What is missing, in words; empty when the gate is passed. A measure that was not taken, or is NaN, is missing.
    public func failures(of measures: QuantizationMeasures) -> [String] {
        var failures: [String] = []
        if !(measures.meanCosine >= minimumMeanCosine) {
            failures.append("mean cosine \(measures.meanCosine) is less than \(minimumMeanCosine)")
        }
        for (name, minimum) in minimums.sorted(by: { $0.key < $1.key }) {
            guard let value = measures.others[name] else {
                failures.append("\(name) was not measured, and has to be at least \(minimum)")
                continue
            }
            if !(value >= minimum) { failures.append("\(name) \(value) is less than \(minimum)") }
        }
        return failures
    }
}
