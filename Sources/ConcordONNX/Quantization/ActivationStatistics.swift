import ConcordCore
import ConcordRuntime

/// What the values of a model's activations were while it ran over samples: the base of their ranges.
///
/// Of each activation there is a histogram, whatever the number of samples.
public struct ActivationStatistics: Hashable, Sendable {
    /// How many batches were run.
    public let batchCount: Int
    /// By the name of the value.
    let histograms: [String: ActivationHistogram]

    /// Runs `model` over `batches`, and looks at all that its layers take; 128 to 512 samples of the kind that the model
    /// will see are enough.
    ///
    /// Throws what `batches` throws, `.emptyBatch` without any, `.nonFiniteValue` for activations that are no numbers,
    /// and what loading and running the model throws.
    public init(
        of model: OnnxModel, over batches: QuantizationBatches, options: OnnxSessionOptions = OnnxSessionOptions()
    ) throws {
        let layers = model.quantizableLayers(minimumElementCount: 1)
        var names: Set<String> = []
        for layer in layers {
            switch layer.kind {
            case .product: names.insert(layer.input)
            case .convolution: names.formUnion([layer.input, layer.name])
            case .table: break
            }
        }
        // Inputs are known already; a graph cannot have them as outputs, too.
        let inputs = names.intersection(model.proto.graph.input.map(\.name))
        let outputs = names.subtracting(inputs).sorted()
        var editor = try GraphEditor(model)
        for node in model.proto.graph.node { editor.keep(node) }
        for name in outputs { editor.output(name, .float32) }
        let session = try editor.finish().load(options: options)

        var histograms = Dictionary(uniqueKeysWithValues: names.map { ($0, ActivationHistogram()) })
        var count = 0
        while let batch = try batches.batch(count) {
            var values = try outputs.isEmpty ? [:] : session.run(batch, outputs: outputs)
            for name in inputs { values[name] = batch[name] }
            try ActivationStatistics.add(values, to: &histograms)
            count += 1
        }
        guard count > 0 else {
            throw ConcordError(.emptyBatch, "ranges of activations need samples, and there is no batch of them")
        }
        batchCount = count
        self.histograms = histograms
    }

    private static func add(
        _ values: [String: OnnxValue], to histograms: inout [String: ActivationHistogram]
    ) throws(ConcordError) {
        for (name, value) in values {
            guard value.elementType == .float32 else { continue }
            let isFinite = value.withUnsafeBytes {
                histograms[name]?.add($0.bindMemory(to: Float.self)) ?? true
            }
            guard isFinite else {
                throw ConcordError(
                    .nonFiniteValue,
                    "the activation '\(name)' has NaN or infinity; look at the samples, or train the model again")
            }
        }
    }

    /// The range of each activation, by the name of the value.
    ///
    /// Throws `.emptyBatch` for an activation without any value, `.invalidArgument` for an impossible rule.
    public func ranges(_ rule: CalibrationMethod) throws(ConcordError) -> [String: ActivationRange] {
        var ranges: [String: ActivationRange] = [:]
        for (name, histogram) in histograms { ranges[name] = try histogram.range(rule) }
        return ranges
    }
}
