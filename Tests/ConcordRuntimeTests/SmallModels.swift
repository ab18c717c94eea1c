import ConcordONNX
import ConcordRuntime
import Testing

/// Models of a few nodes, made by the package's own writer.
enum SmallModels {
    /// `y [batch, 2] = x [batch, 3] · w + b`, with metadata.
    static func linear() throws -> [UInt8] {
        let graph = OnnxGraphBuilder(name: "linear", description: "a layer")
        let x = try graph.input("x", .float32, ["batch", 3])
        let w = try graph.constant(OnnxValue([1, 2, 3, 4, 5, 6] as [Float], shape: [3, 2]), name: "w")
        let b = try graph.constant(OnnxValue([10, 20] as [Float], shape: [2]), name: "b")
        let y = try graph.add("Add", [graph.add("MatMul", [x, w]), b])
        try graph.output(y, as: "y", .float32, ["batch", 2])
        graph.metadata = ["pooling": "last", "author": "Ünï"]
        return try graph.build().bytes()
    }

    /// What `linear` is to give.
    static func linear(_ x: [Float]) -> [Float] {
        stride(from: 0, to: x.count, by: 3).flatMap { row -> [Float] in
            let (p, q, r) = (x[row], x[row + 1], x[row + 2])
            return [p + 3 * q + 5 * r + 10, 2 * p + 4 * q + 6 * r + 20]
        }
    }

    /// `total [batch, length] = a + b` and `first [batch, length] = a`, of types int64.
    static func pair() throws -> [UInt8] {
        let graph = OnnxGraphBuilder(name: "pair")
        let a = try graph.input("ids", .int64, ["batch", "length"])
        let b = try graph.input("mask", .int64, ["batch", "length"])
        try graph.output(graph.add("Add", [a, b]), as: "total", .int64, ["batch", "length"])
        try graph.output(a, as: "first", .int64, ["batch", "length"])
        return try graph.build().bytes()
    }

    /// `y [rows, 64]`, the result of many products of `x [rows, 64]` with a matrix of 1/64, so that means go through.
    static func long(products: Int) throws -> [UInt8] {
        let graph = OnnxGraphBuilder(name: "long")
        let x = try graph.input("x", .float32, ["rows", 64])
        let w = try graph.constant(OnnxValue([Float](repeating: 1 / 64, count: 4096), shape: [64, 64]), name: "w")
        var y = x
        for _ in 0..<products { y = try graph.add("Tanh", [graph.add("MatMul", [y, w])]) }
        try graph.output(y, as: "y", .float32, ["rows", 64])
        return try graph.build().bytes()
    }
}
