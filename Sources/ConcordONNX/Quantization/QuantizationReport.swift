import ConcordCore
import ConcordRuntime

/// What quantization did to a model: its size, how near it stays to the float32 one, and what each layer became.
public struct QuantizationReport: Hashable, Sendable {
    /// What one layer became.
    public struct Layer: Hashable, Sendable {
        public let layer: QuantizableLayer
        /// That of the report's method; where it cost too much, weights alone in 8 bits, or float32.
        public internal(set) var precision: ArtifactManifest.Precision
        /// What ``LayerErrors`` found for the report's method, in decibels.
        public let signalToNoise: Double

        package init(layer: QuantizableLayer, precision: ArtifactManifest.Precision, signalToNoise: Double) {
            self.layer = layer
            self.precision = precision
            self.signalToNoise = signalToNoise
        }
    }

    public let method: QuantizationMethod
    public let criteria: AcceptanceCriteria
    /// What the models' files have, in bytes.
    public let float32ByteCount: Int
    public private(set) var quantizedByteCount: Int
    /// With all layers quantized.
    public let before: QuantizationMeasures
    /// With those in float32 that had to be.
    public private(set) var after: QuantizationMeasures
    /// In the order of the graph.
    public private(set) var layers: [Layer]
    /// How the ranges of activations were chosen, and on how many batches; for those who made them to fill in.
    public var calibrationMethod: CalibrationMethod?
    public var calibrationBatchCount: Int?

    package init(
        method: QuantizationMethod, criteria: AcceptanceCriteria, float32ByteCount: Int, quantizedByteCount: Int,
        before: QuantizationMeasures, after: QuantizationMeasures, layers: [Layer]
    ) {
        self.method = method
        self.criteria = criteria
        self.float32ByteCount = float32ByteCount
        self.quantizedByteCount = quantizedByteCount
        self.before = before
        self.after = after
        self.layers = layers
    }

    /// How many times smaller the file is.
    public var ratio: Double { Double(float32ByteCount) / Double(max(1, quantizedByteCount)) }

    /// Names of the layers that stayed float32, in the order of the graph.
    public var float32Layers: [String] { layers.filter { $0.precision == .float32 }.map(\.layer.name) }

    /// Notes that weights of layers which had stayed float32 have 8 bits after all.
    ///
    /// - Parameters:
    ///   - names: those layers.
    ///   - model: what it became.
    ///   - measures: what that reaches.
    package mutating func quantizedWeights(
        of names: Set<String>, to model: OnnxModel, measures: QuantizationMeasures
    ) {
        for index in layers.indices where names.contains(layers[index].layer.name) {
            layers[index].precision = .int8Weights
        }
        quantizedByteCount = model.fileByteCount
        after = measures
    }

    // MARK: - JSON

    /// All of it as a document. Sizes are in bytes; infinite numbers are null.
    public var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("method", .string(method.precision.rawValue)), .init("weight_bits", .integer(method.weightBits)),
            .init("float32_bytes", .integer(float32ByteCount)),
            .init("quantized_bytes", .integer(quantizedByteCount)), .init("ratio", .number(ratio)),
        ]
        switch method {
        case .weights(let options): members.append(.init("block_size", .integer(options.blockSize)))
        case .calibrated:
            members.append(
                .init(
                    "calibration",
                    .object([
                        .init("rule", calibrationMethod.map { JSONValue.string($0.description) } ?? .null),
                        .init("batches", calibrationBatchCount.map { JSONValue.integer($0) } ?? .null),
                    ])))
        }
        members += [
            .init(
                "gate",
                .object(
                    [.init("mean_cosine", .number(criteria.minimumMeanCosine))]
                        + QuantizationReport.members(criteria.minimums))),
            .init("before", QuantizationReport.describe(before)), .init("after", QuantizationReport.describe(after)),
            .init("layers", .array(layers.map(describe))),
        ]
        return .object(members)
    }

    private func describe(_ entry: Layer) -> JSONValue {
        let layer = entry.layer
        var members: [JSONValue.Member] = [
            .init("name", .string(layer.name)), .init("kind", .string(layer.kind.rawValue)),
            .init("weight", .string(layer.weight)), .init("shape", .array(layer.shape.map { .integer($0) })),
            .init("type", .string(entry.precision.rawValue)),
            .init("signal_to_noise_db", .number(entry.signalToNoise)),
        ]
        if case .calibrated(let options) = method, layer.kind != .table, let range = options.ranges[layer.input] {
            let ends = [range.lowest, range.highest].map { JSONValue.number(Double("\($0)") ?? Double($0)) }
            members.append(.init("input_range", .array(ends)))
        }
        return .object(members)
    }

    private static func describe(_ measures: QuantizationMeasures) -> JSONValue {
        .object(
            [
                .init("mean_cosine", .number(measures.meanCosine)),
                .init("worst_cosine", .number(measures.worstCosine)),
            ] + members(measures.others))
    }

    private static func members(_ values: [String: Double]) -> [JSONValue.Member] {
        values.sorted { $0.key < $1.key }.map { .init($0.key, .number($0.value)) }
    }
}
