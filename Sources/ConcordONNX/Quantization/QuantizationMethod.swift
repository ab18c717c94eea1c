import ConcordCore
import ConcordRuntime

/// How a model is made one of 8-bit numbers.
public enum QuantizationMethod: Hashable, Sendable {
    case weights(WeightQuantization)
    case calibrated(StaticQuantization)

    /// What it makes of a layer. A quantized model holds its name under `OnnxModelMetadata.quantizationMethodKey`.
    public var precision: ArtifactManifest.Precision {
        switch self {
        case .weights: .int8Weights
        case .calibrated: .int8
        }
    }

    /// The bits of weights that are used: 8, or 7 of ``StaticQuantization`` with a reduced range. A quantized model holds
    /// them under `OnnxModelMetadata.weightBitsKey`.
    public var weightBits: Int {
        if case .calibrated(let options) = self, options.reducesWeightRange { 7 } else { 8 }
    }

    /// The layers of `model` that this method quantizes, in the order of the graph.
    public func layers(of model: OnnxModel) -> [QuantizableLayer] {
        switch self {
        case .weights(let options):
            model.quantizableLayers(minimumElementCount: options.minimumElementCount).filter { $0.kind != .convolution }
        case .calibrated(let options): model.quantizableLayers(minimumElementCount: options.minimumElementCount)
        }
    }

    /// The model in 8 bits: the same inputs and outputs, other nodes inside.
    ///
    /// What an earlier method left in float32 can be quantized by a further one: weights alone, after a calibrated one
    /// that kept some layers.
    ///
    /// - Parameters:
    ///   - model: one of float32; constants of other types stay as they are.
    ///   - keeping: names of layers that stay float32.
    /// - Throws: `.nonFiniteValue` for weights that are no numbers, `.invalidArgument` for impossible options, names in
    ///   `keeping` that are no layers of the model, and ranges that are missing, `.invalidModel` for a graph written in
    ///   an opset before 13.
    public func quantize(_ model: OnnxModel, keeping: Set<String> = []) throws(ConcordError) -> OnnxModel {
        let layers = layers(of: model)
        if let unknown = keeping.subtracting(layers.map(\.name)).min() {
            let suggestion = NearestName.suggestion(for: unknown, among: layers.map(\.name))
                .map { "; did you mean '\($0)'?" }
            throw ConcordError(
                .invalidArgument,
                "'\(unknown)' should stay float32, and is no layer of '\(model.proto.graph.name)' that would be "
                    + "quantized\(suggestion ?? "")")
        }
        let replaced = Dictionary(
            layers.filter { !keeping.contains($0.name) }.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        var editor = try GraphEditor(model)
        for node in model.proto.graph.node {
            guard let name = node.output.first, let layer = replaced[name] else {
                editor.keep(node)
                continue
            }
            editor.replace(node)
            try add(LayerRewriter(layer: layer, node: node, output: name), to: &editor)
        }
        // Of a model that was calibrated before, what was said then still holds.
        let methodKey = OnnxModelMetadata.quantizationMethodKey
        let isQuantized = model.proto.metadataProps.contains { $0.key == methodKey }
        return editor.finish(
            metadata: isQuantized
                ? [:] : [methodKey: precision.rawValue, OnnxModelMetadata.weightBitsKey: "\(weightBits)"])
    }

    /// Adds the nodes that stand for a layer.
    func add(_ rewriter: LayerRewriter, to editor: inout GraphEditor) throws(ConcordError) {
        let layer = rewriter.layer
        if layer.kind == .table { return try rewriter.addTable(in: &editor) }
        switch self {
        case .weights(let options):
            try options.validate()
            try rewriter.addBlockProduct(blockSize: options.blockSize, in: &editor)
        case .calibrated(let options):
            let range = try options.range(of: layer.input, for: layer)
            if layer.kind == .product {
                try rewriter.addStaticProduct(range, weightLimit: options.weightLimit, in: &editor)
            } else {
                try rewriter.addStaticConvolution(
                    range, result: options.range(of: layer.name, for: layer), weightLimit: options.weightLimit,
                    in: &editor)
            }
        }
    }
}

/// Weights and activations in 8 bits: smaller, and faster than float32 on every processor that was measured.
///
/// Activations are unsigned, with a range for each that was found beforehand (``ActivationStatistics``), so a sample's
/// result does not depend on those beside it. Weights are signed, with a scale for each output. The graph has pairs of
/// `QuantizeLinear` and `DequantizeLinear` around products and convolutions, which ONNX Runtime turns into products of
/// 8-bit numbers when it loads it; attention, norms and sums stay float32. Tables are as with ``WeightQuantization``.
public struct StaticQuantization: Hashable, Sendable {
    /// By the name of the value: the input of each product, the input and the result of each convolution.
    public var ranges: [String: ActivationRange]
    /// Leaves weights 7 of their 8 bits.
    ///
    /// A model with 8 bits gives wrong results on processors where `CPUFeatures.int8DotSaturates` holds; one with 7 is right
    /// everywhere, and a little less exact. The model says what it has, under `OnnxModelMetadata.weightBitsKey`.
    public var reducesWeightRange: Bool
    /// Weights with fewer elements stay as they are.
    public var minimumElementCount = 4096

    /// - Parameters:
    ///   - ranges: those of ``ActivationStatistics/ranges(_:)``.
    ///   - reducesWeightRange: what suits this processor, if it is the one that the model will run on.
    public init(ranges: [String: ActivationRange], reducesWeightRange: Bool = CPUFeatures.int8DotSaturates) {
        self.ranges = ranges
        self.reducesWeightRange = reducesWeightRange
    }

    /// The largest number that a weight becomes.
    var weightLimit: Int { reducesWeightRange ? 63 : 127 }

    func range(of value: String, for layer: QuantizableLayer) throws(ConcordError) -> ActivationRange {
        guard let range = ranges[value] else {
            throw ConcordError(
                .invalidArgument,
                "the layer '\(layer.name)' needs the range of the activation '\(value)'; collect statistics of this very "
                    + "model")
        }
        return range
    }
}

/// Weights in 8 bits, activations in float32: needs no samples, and is about four times smaller.
///
/// Products become ONNX Runtime's `MatMulNBits`: each block of a weight's column has a scale, and activations are
/// rounded block by block while it runs, each row by itself. Tables have a scale for each row. Convolutions stay as
/// they are.
public struct WeightQuantization: Hashable, Sendable {
    /// Elements with one scale: 16, 32, 64, 128 or 256. Smaller blocks are more exact, larger, and slower.
    public var blockSize = 128
    /// Weights with fewer elements stay as they are.
    public var minimumElementCount = 4096

    public init() {}

    /// The size for a weight with `rows` inputs: the largest up to `limit` that leaves no block unfilled; at least 32,
    /// or what is needed for all rows.
    static func blockSize(rows: Int, limit: Int) -> Int {
        var size = limit
        while size > 32, rows % size != 0 { size /= 2 }
        while size > 16, size / 2 >= rows { size /= 2 }
        return size
    }

    func validate() throws(ConcordError) {
        guard [16, 32, 64, 128, 256].contains(blockSize) else {
            throw ConcordError(.invalidArgument, "a block has 16, 32, 64, 128 or 256 elements, got \(blockSize)")
        }
    }
}
