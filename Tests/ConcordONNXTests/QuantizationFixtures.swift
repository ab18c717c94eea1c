import ConcordCore
import ConcordONNX
import ConcordRuntime
import ConcordTestSupport
import Foundation
import Testing

/// Small graphs with random weights, and what their outputs are compared by.
enum QuantizationFixtures {
    static func normal(_ count: Int, seed: UInt64, scale: Double = 1) -> [Float] {
        var random = RandomSource(seed: seed)
        return (0..<count).map { _ in Float(random.normal() * scale) }
    }

    /// `y [batch, out] = x [batch, in] · w + b`.
    static func layer(
        in rows: Int, out columns: Int, weight: [Float]? = nil
    ) throws -> OnnxModel {
        let graph = OnnxGraphBuilder(name: "layer")
        let x = try graph.input("x", .float32, ["batch", .fixed(rows)])
        let weight = weight ?? normal(rows * columns, seed: 1, scale: 0.05)
        let w = try graph.constant(OnnxValue(weight, shape: [rows, columns]), name: "w")
        let b = try graph.constant(OnnxValue(normal(columns, seed: 2), shape: [columns]), name: "b")
        let product = try graph.add("MatMul", [x, w], name: "product")
        try graph.output(graph.add("Add", [product, b]), as: "y", .float32, ["batch", .fixed(columns)])
        return try graph.build()
    }

    /// Layers that add to a stream `[batch, width]`, as those of a transformer: norm, product, GELU, product.
    static func tower(
        depth: Int, width: Int, seed: UInt64 = 1, outlierLayer: Int? = nil
    ) throws -> OnnxModel {
        let graph = OnnxGraphBuilder(name: "tower")
        var x = try graph.input("x", .float32, ["batch", .fixed(width)])
        for index in 0..<depth {
            func weight(_ name: String, _ rows: Int, _ columns: Int) throws -> OnnxEdge {
                var values = normal(
                    rows * columns, seed: seed &+ UInt64(17 * index + rows), scale: 1 / Double(rows).squareRoot())
                // In each column one weight so large that all others become 0; its input is hardly ever anything.
                if index == outlierLayer, name == "out" {
                    for column in 0..<columns { values[column] = 1000 }
                }
                return try graph.constant(
                    OnnxValue(values, shape: [rows, columns]), name: "layers.\(index).\(name)")
            }
            var gain = [Float](repeating: 1, count: 4 * width)
            if index == outlierLayer { gain[0] = 0 }
            let norm = try graph.add(
                "LayerNormalization",
                [
                    x,
                    graph.constant(
                        OnnxValue([Float](repeating: 1, count: width), shape: [width]), name: "layers.\(index).norm"),
                ], attributes: ["axis": .int(-1)])
            let hidden = try graph.add(
                "MatMul", [norm, weight("in", width, 4 * width)], name: "layers.\(index).in.product")
            let active = try graph.add("Gelu", [hidden], domain: .microsoft)
            let gated = try graph.add(
                "Mul", [active, graph.constant(OnnxValue(gain, shape: [4 * width]), name: "layers.\(index).gain")])
            let out = try graph.add(
                "MatMul", [gated, weight("out", 4 * width, width)], name: "layers.\(index).out.product")
            x = try graph.add("Add", [x, out])
        }
        try graph.output(x, as: "y", .float32, ["batch", .fixed(width)])
        return try graph.build()
    }

    static func run(
        _ model: OnnxModel, _ inputs: [String: OnnxValue], output: String = "y",
        optimization: OnnxSessionOptions.GraphOptimization = .all
    ) throws -> [Float] {
        var options = OnnxSessionOptions(threadsPerRun: 1)
        options.graphOptimization = optimization
        let outputs = try OnnxSession(bytes: model.bytes(), options: options).run(inputs)
        return try #require(outputs[output]).values()
    }

    /// `‖a − b‖ / ‖b‖`.
    static func relativeError(_ a: [Float], _ b: [Float]) -> Double {
        var difference = 0.0, sum = 0.0
        for (x, y) in zip(a, b) {
            difference += Double(x - y) * Double(x - y)
            sum += Double(y) * Double(y)
        }
        return a.count == b.count ? (difference / sum).squareRoot() : .infinity
    }

    /// The types of a model's nodes, in order.
    static func operations(_ model: OnnxModel) -> [String] { model.proto.graph.node.map(\.opType) }

    /// A model that only holds what its file held, and how long that was.
    static func reloaded(_ model: OnnxModel) throws -> (model: OnnxModel, byteCount: Int) {
        try withTemporaryFolder { folder in
            try model.write(to: folder + "/model.onnx")
            return (try OnnxModel(path: folder + "/model.onnx"), try Files.read(folder + "/model.onnx").count)
        }
    }
}
