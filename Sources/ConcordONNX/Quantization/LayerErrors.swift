import ConcordCore
import ConcordRuntime
import Foundation

/// How much each layer's own result changes when only that layer is quantized.
public struct LayerErrors: Hashable, Sendable {
    /// The power of the layer's result over that of the change, in decibels, by the layer's name. Infinite where
    /// nothing changes.
    public let signalToNoise: [String: Double]

    /// Runs `model` over `batches`, with both forms of each layer side by side on the same activations.
    ///
    /// Throws what `batches` throws, `.emptyBatch` without any, and what quantizing, loading and running the model
    /// throws.
    public init(
        of method: QuantizationMethod, in model: OnnxModel, over batches: QuantizationBatches,
        options: OnnxSessionOptions = OnnxSessionOptions()
    ) throws {
        let layers = method.layers(of: model)
        guard !layers.isEmpty else {
            signalToNoise = [:]
            return
        }
        let session = try LayerErrors.model(of: method, in: model, layers).load(options: options)
        let outputs = layers.indices.flatMap { [LayerErrors.signal($0), LayerErrors.noise($0)] }
        var sums = [Double](repeating: 0, count: outputs.count), count = 0
        while let batch = try batches.batch(count) {
            let results = try session.run(batch, outputs: outputs)
            for (index, output) in outputs.enumerated() {
                sums[index] += try Double(results[output]?.values(of: Float.self).first ?? 0)
            }
            count += 1
        }
        guard count > 0 else {
            throw ConcordError(.emptyBatch, "errors of layers need samples, and there is no batch of them")
        }
        signalToNoise = Dictionary(
            layers.enumerated().map { index, layer in
                let (signal, noise) = (sums[2 * index], sums[2 * index + 1])
                // A layer whose result is no number comes first, as the worst.
                let ratio = noise == 0 ? .infinity : 10 * log10(signal / noise)
                return (layer.name, ratio.isNaN ? -.infinity : ratio)
            }, uniquingKeysWith: { first, _ in first })
    }

    /// The names of layers, the one that changes most first.
    public var worstFirst: [String] {
        signalToNoise.sorted { ($0.value, $0.key) < ($1.value, $1.key) }.map(\.key)
    }

    private static func signal(_ index: Int) -> String { "concord.signal.\(index)" }
    private static func noise(_ index: Int) -> String { "concord.noise.\(index)" }

    /// The float32 graph, and beside each layer its quantized form, with the sums of squares as further outputs.
    private static func model(
        of method: QuantizationMethod, in model: OnnxModel, _ layers: [QuantizableLayer]
    ) throws(ConcordError) -> OnnxModel {
        let indices = Dictionary(
            layers.enumerated().map { ($0.element.name, $0.offset) }, uniquingKeysWith: { first, _ in first })
        var editor = try GraphEditor(model)
        for node in model.proto.graph.node {
            editor.keep(node)
            guard let name = node.output.first, let index = indices[name] else { continue }
            let quantized = "concord.quantized.\(index)"
            try method.add(LayerRewriter(layer: layers[index], node: node, output: quantized), to: &editor)
            let change = editor.add("Sub", [name, quantized], name: "concord.change.\(index)")
            for (value, output) in [(name, signal(index)), (change, noise(index))] {
                editor.add(
                    "ReduceSumSquare", [value], attributes: ["keepdims": .int(0)], name: output, output: output)
                editor.output(output, .float32)
            }
        }
        return editor.finish()
    }
}
