import ConcordCore
import ConcordRuntime

/// How a model is made one of 8-bit numbers.
public enum QuantizationMethod: Hashable, Sendable {
    case weights(WeightQuantization)
    case calibrated(StaticQuantization)

    /// What a quantized model holds under `OnnxModelMetadata.quantizationMethodKey`.
    public var name: String {
        switch self {
        case .weights: "int8-weights"
        case .calibrated: "int8"
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
                ? [:] : [methodKey: name, OnnxModelMetadata.weightBitsKey: "\(weightBits)"])
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
