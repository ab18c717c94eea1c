import ConcordCore
import ConcordRuntime

/// Quantizes as many layers as the acceptance criteria allow.
///
/// First all of them; where that does not meet the criteria, the layers whose own results change most go back to float32,
/// and the least number of them that reaches it is searched for: 1, 2, 4, … and then between the last two.
public struct QuantizationSearch: Sendable {
    public var method: QuantizationMethod
    public var criteria: AcceptanceCriteria

    public init(method: QuantizationMethod, criteria: AcceptanceCriteria = AcceptanceCriteria()) {
        self.method = method
        self.criteria = criteria
    }

    /// The quantized model, with how it came about.
    ///
    /// - Parameters:
    ///   - model: the one of float32.
    ///   - batches: samples to measure the error of each layer on, run once.
    ///   - options: how models are run for that.
    ///   - measure: what a model reaches, such as ``OutputComparison/measures(of:)`` with further measures added.
    /// - Throws: `.invalidArgument` when even the float32 model does not meet the criteria, or nothing in it can be
    ///   quantized, and what `batches`, `measure`, quantizing, loading and running throw.
    public func quantize(
        _ model: OnnxModel, batches: QuantizationBatches, options: OnnxSessionOptions = OnnxSessionOptions(),
        measure: (OnnxModel) throws -> QuantizationMeasures
    ) throws -> (model: OnnxModel, report: QuantizationReport) {
        let layers = method.layers(of: model)
        guard !layers.isEmpty else {
            throw ConcordError(
                .invalidArgument,
                "the graph '\(model.proto.graph.name)' has no layer to quantize: no product, convolution or table with "
                    + "a large constant weight of float32")
        }
        var quantized = try method.quantize(model)
        let before = try measure(quantized)
        let errors = try LayerErrors(of: method, in: model, over: batches, options: options)
        var after = before, keeping: Set<String> = []
        if !criteria.failures(of: before).isEmpty {
            let order = errors.worstFirst
            // `failing` layers back are too few, `passing` are enough.
            var failing = 0, passing: Int?
            while passing == nil || failing + 1 < (passing ?? 0) {
                let count = passing.map { (failing + $0) / 2 } ?? min(max(1, 2 * failing), order.count)
                let kept = Set(order.prefix(count))
                let candidate = try method.quantize(model, keeping: kept)
                let measures = try measure(candidate)
                let failures = criteria.failures(of: measures)
                if failures.isEmpty {
                    passing = count
                    (quantized, after, keeping) = (candidate, measures, kept)
                } else {
                    guard count < order.count else {
                        throw ConcordError(
                            .invalidArgument,
                            "the model does not reach the gate even with all layers in float32: "
                                + failures.joined(separator: ", "))
                    }
                    failing = count
                }
            }
        }
        let report = QuantizationReport(
            method: method, criteria: criteria, float32ByteCount: model.fileByteCount,
            quantizedByteCount: quantized.fileByteCount, before: before, after: after,
            layers: layers.map { layer in
                QuantizationReport.Layer(
                    layer: layer, precision: keeping.contains(layer.name) ? .float32 : method.precision,
                    signalToNoise: errors.signalToNoise[layer.name] ?? .nan)
            })
        return (quantized, report)
    }
}

/// What a quantized model has to reach.
public struct AcceptanceCriteria: Hashable, Sendable {
    public var minimumMeanCosine: Double
    /// The least value of other measures, by name: `["recall@1": float32 - 0.005]` for half a point.
    public var minimums: [String: Double]

    public init(minimumMeanCosine: Double = 0.995, minimums: [String: Double] = [:]) {
        self.minimumMeanCosine = minimumMeanCosine
        self.minimums = minimums
    }

    /// What is missing, in words; empty when the criteria are met. A measure that was not taken, or is NaN, is missing.
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

/// How near a quantized model is to the float32 one, and how good it is.
public struct QuantizationMeasures: Hashable, Sendable {
    /// The mean of the cosines between each sample's output and that of the float32 model.
    public var meanCosine: Double
    /// The least of them.
    public var worstCosine: Double
    /// The cosine of each sample, in their order; empty where they were not kept.
    public var cosines: [Double]
    /// Further ones, by name, of which more is better: `recall@1`.
    public var others: [String: Double]

    public init(
        meanCosine: Double, worstCosine: Double, cosines: [Double] = [], others: [String: Double] = [:]
    ) {
        self.meanCosine = meanCosine
        self.worstCosine = worstCosine
        self.cosines = cosines
        self.others = others
    }
}
