import ConcordCore
import ConcordONNX
import ConcordRuntime
import ConcordTestSupport
import Foundation
import Testing

/// The fused operations that towers are exported with, against plain arithmetic in double precision.
@Suite struct FusedOperationsTests {
    private static let batch = 3, length = 5, heads = 2, headWidth = 4, width = 8

    /// A matrix per batch row, `[rows, columns]`.
    private typealias Matrix = [[Double]]

    private static func numbers(_ count: Int, seed: UInt64) -> [Float] {
        var random = RandomSource(seed: seed)
        return (0..<count).map { _ in Float(Int(random.next() % 2001) - 1000) / 500 }
    }

    /// `[batch, length, width]` as matrices.
    private static func matrices(_ values: [Float], _ rows: Int, _ columns: Int) -> [Matrix] {
        stride(from: 0, to: values.count, by: rows * columns).map { start in
            (0..<rows).map { row in (0..<columns).map { Double(values[start + row * columns + $0]) } }
        }
    }

    private static func product(_ a: Matrix, _ b: Matrix) -> Matrix {
        a.map { row in b[0].indices.map { column in zip(row, b).reduce(0) { $0 + $1.0 * $1.1[column] } } }
    }

    private static func transposed(_ a: Matrix) -> Matrix { a[0].indices.map { column in a.map { $0[column] } } }

    private static func softmax(_ row: [Double]) -> [Double] {
        let largest = row.max() ?? 0
        let powers = row.map { exp($0 - largest) }
        let sum = powers.reduce(0, +)
        return powers.map { $0 / sum }
    }

    /// Attention of `heads` heads; `sees(query, key)` says what a query may look at.
    private static func attention(
        _ query: Matrix, _ key: Matrix, _ value: Matrix, sees: (Int, Int) -> Bool = { _, _ in true }
    ) -> Matrix {
        var result = query
        for head in 0..<heads {
            let columns = head * headWidth..<(head + 1) * headWidth
            func part(_ matrix: Matrix) -> Matrix { matrix.map { Array($0[columns]) } }
            let scores = product(part(query), transposed(part(key)))
            for (row, line) in scores.enumerated() {
                let weights = softmax(
                    line.enumerated().map { sees(row, $0.offset) ? $0.element / sqrt(Double(headWidth)) : -.infinity })
                for (column, mixed) in zip(columns, product([weights], part(value))[0]) { result[row][column] = mixed }
            }
        }
        return result
    }

    private static func layerNorm(_ row: [Double], _ gain: [Double], _ bias: [Double], epsilon: Double) -> [Double] {
        let mean = row.reduce(0, +) / Double(row.count)
        let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(row.count)
        return row.indices.map { (row[$0] - mean) / sqrt(variance + epsilon) * gain[$0] + bias[$0] }
    }

    private func run(
        _ graph: OnnxGraphBuilder, _ inputs: [String: OnnxValue]
    ) throws -> [String: OnnxValue] {
        try OnnxSession(bytes: graph.build().bytes(), options: OnnxSessionOptions(threadsPerRun: 1)).run(inputs)
    }

    private func expect(_ value: OnnxValue?, _ expected: [Matrix], _ name: String = "y") throws {
        let values: [Float] = try #require(value).values()
        expectClose(values, expected.flatMap { $0.flatMap { $0 } }, absolute: 2e-6, relative: 2e-6, name)
    }

    private func tensor(_ seed: UInt64, length: Int? = nil) throws -> (OnnxValue, [Matrix]) {
        let length = length ?? Self.length
        let values = Self.numbers(Self.batch * length * Self.width, seed: seed)
        return (
            try OnnxValue(values, shape: [Self.batch, length, Self.width]),
            Self.matrices(values, length, Self.width)
        )
    }

    @Test func fusedMatMulTransposesAndScales() throws {
        let graph = OnnxGraphBuilder(name: "product")
        let a = try graph.input("a", .float32, ["batch", "rows", Self.widthDimension])
        let b = try graph.input("b", .float32, ["batch", "columns", Self.widthDimension])
        let y = try graph.add(
            "FusedMatMul", [a, b], attributes: ["transB": .int(1), "alpha": .float(0.25)], domain: .microsoft)
        try graph.output(y, as: "y", .float32, ["batch", "rows", "columns"])
        let (first, left) = try tensor(1)
        let (second, right) = try tensor(2, length: 7)
        let expected = zip(left, right).map { a, b in Self.product(a, Self.transposed(b)).map { $0.map { $0 / 4 } } }
        try expect(try run(graph, ["a": first, "b": second])["y"], expected)
    }

    private static let widthDimension = OnnxDimension.fixed(width)

    @Test(arguments: [false, true]) func attentionOfOneProjection(causal: Bool) throws {
        let graph = OnnxGraphBuilder(name: "attention")
        let x = try graph.input("x", .float32, ["batch", "length", Self.widthDimension])
        let weights = Self.numbers(Self.width * 3 * Self.width, seed: 3).map { $0 / 2 }
        let bias = Self.numbers(3 * Self.width, seed: 4)
        let w = try graph.constant(OnnxValue(weights, shape: [Self.width, 3 * Self.width]), name: "w")
        let b = try graph.constant(OnnxValue(bias, shape: [3 * Self.width]), name: "b")
        let y = try graph.add(
            "Attention", [x, w, b],
            attributes: ["num_heads": .int(Self.heads), "unidirectional": .int(causal ? 1 : 0)],
            domain: .microsoft)
        try graph.output(y, as: "y", .float32, ["batch", "length", Self.widthDimension])
        let (value, rows) = try tensor(5)
        let w2 = Self.matrices(weights, Self.width, 3 * Self.width)[0]
        let expected = rows.map { x in
            let projected = Self.product(x, w2).map { zip($0, bias).map { $0 + Double($1) } }
            func part(_ index: Int) -> Matrix {
                projected.map { Array($0[index * Self.width..<(index + 1) * Self.width]) }
            }
            return Self.attention(part(0), part(1), part(2)) { causal ? $1 <= $0 : true }
        }
        try expect(try run(graph, ["x": value])["y"], expected)
    }

    @Test func multiHeadAttentionAcrossTwoSequences() throws {
        let graph = OnnxGraphBuilder(name: "cross")
        let q = try graph.input("q", .float32, ["batch", "queries", Self.widthDimension])
        let k = try graph.input("k", .float32, ["batch", "keys", Self.widthDimension])
        let v = try graph.input("v", .float32, ["batch", "keys", Self.widthDimension])
        // How many keys of each row there are: rows of unequal length.
        let bias = try graph.input("bias", .float32, ["batch", 1, "queries", "keys"])
        let perHead = try graph.add("Concat", [bias, bias], attributes: ["axis": .int(1)])
        let y = try graph.add(
            "MultiHeadAttention", [q, k, v, nil, nil, perHead], attributes: ["num_heads": .int(Self.heads)],
            domain: .microsoft)
        try graph.output(y, as: "y", .float32, ["batch", "queries", Self.widthDimension])
        let (query, queries) = try tensor(6)
        let (key, keys) = try tensor(7, length: 7)
        let (value, values) = try tensor(8, length: 7)
        let lengths = [7, 4, 1]
        let mask = lengths.flatMap { length in
            (0..<Self.length).flatMap { _ in (0..<7).map { $0 < length ? Float(0) : -1e9 } }
        }
        let expected = lengths.indices.map { row in
            Self.attention(queries[row], keys[row], values[row]) { _, key in key < lengths[row] }
        }
        let result = try run(
            graph,
            ["q": query, "k": key, "v": value, "bias": OnnxValue(mask, shape: [Self.batch, 1, Self.length, 7])])
        try expect(result["y"], expected)
    }

    /// Decoding: what one token at a time gives with the keys and values of those before, is what all at once give.
    @Test func multiHeadAttentionGoesOnFromItsPast() throws {
        let graph = OnnxGraphBuilder(name: "step")
        let inputs = try ["q", "k", "v"].map { name in
            try graph.input(name, .float32, ["batch", "length", Self.widthDimension])
        }
        let past = try ["past_k", "past_v"].map { name in
            try graph.input(name, .float32, ["batch", 2, "past", 4])
        }
        let results = try graph.add(
            "MultiHeadAttention", inputs + [nil, nil, nil] + past,
            attributes: ["num_heads": .int(Self.heads), "unidirectional": .int(1)], domain: .microsoft,
            outputs: [0, 1, 2])
        try graph.output(results[0], as: "y", .float32, ["batch", "length", Self.widthDimension])
        for (index, name) in ["present_k", "present_v"].enumerated() {
            try graph.output(results[index + 1], as: name, .float32, ["batch", 2, "total", 4])
        }
        let session = try OnnxSession(bytes: graph.build().bytes(), options: OnnxSessionOptions(threadsPerRun: 1))
        let all = try (9...11).map { try tensor(UInt64($0)).1 }
        let expected = (0..<Self.batch).map { row in
            Self.attention(all[0][row], all[1][row], all[2][row]) { $1 <= $0 }
        }
        var (k, v) = (
            try OnnxValue(zeros: .float32, shape: [Self.batch, Self.heads, 0, Self.headWidth]),
            try OnnxValue(zeros: .float32, shape: [Self.batch, Self.heads, 0, Self.headWidth])
        )
        // Two tokens first, then one by one.
        for range in [0..<2, 2..<3, 3..<4, 4..<5] {
            func tokens(_ matrices: [Matrix]) throws -> OnnxValue {
                let values = matrices.flatMap { $0[range].flatMap { $0.map { Float($0) } } }
                return try OnnxValue(values, shape: [Self.batch, range.count, Self.width])
            }
            let outputs = try session.run([
                "q": tokens(all[0]), "k": tokens(all[1]), "v": tokens(all[2]), "past_k": k, "past_v": v,
            ])
            try expect(outputs["y"], expected.map { Array($0[range]) }, "tokens \(range)")
            (k, v) = (try #require(outputs["present_k"]), try #require(outputs["present_v"]))
            #expect(k.shape == [Self.batch, Self.heads, range.upperBound, Self.headWidth])
        }
    }

    @Test func activations() throws {
        let graph = OnnxGraphBuilder(name: "activations")
        let x = try graph.input("x", .float32, ["batch", "length", Self.widthDimension])
        let quick = try graph.add("QuickGelu", [x], attributes: ["alpha": .float(1.702)], domain: .microsoft)
        let exact = try graph.add("Gelu", [x], domain: .microsoft)
        let tanhs = try graph.add("FastGelu", [x], domain: .microsoft)
        for (name, y) in [("quick", quick), ("exact", exact), ("tanh", tanhs)] {
            try graph.output(y, as: name, .float32, ["batch", "length", Self.widthDimension])
        }
        let (value, rows) = try tensor(17)
        let outputs = try run(graph, ["x": value])
        func mapped(_ function: (Double) -> Double) -> [Matrix] { rows.map { $0.map { $0.map(function) } } }
        try expect(outputs["quick"], mapped { $0 / (1 + exp(-1.702 * $0)) }, "quick")
        try expect(outputs["exact"], mapped { $0 / 2 * (1 + erf($0 / 2.0.squareRoot())) }, "exact")
        try expect(
            outputs["tanh"],
            mapped { $0 / 2 * (1 + tanh((2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0))) }, "tanh")
    }

    @Test func layerNormalizationOfOpset17() throws {
        let graph = OnnxGraphBuilder(name: "norm")
        let shape: [OnnxDimension] = ["batch", "length", Self.widthDimension]
        let x = try graph.input("x", .float32, shape)
        let gain = Self.numbers(Self.width, seed: 18), bias = Self.numbers(Self.width, seed: 19)
        let y = try graph.add(
            "LayerNormalization",
            [
                x, graph.constant(OnnxValue(gain, shape: [Self.width]), name: "gain"),
                graph.constant(OnnxValue(bias, shape: [Self.width]), name: "bias"),
            ], attributes: ["axis": .int(-1), "epsilon": .float(1e-6)])
        try graph.output(y, as: "y", .float32, shape)
        let (value, rows) = try tensor(20)
        let (g, b) = (gain.map { Double($0) }, bias.map { Double($0) })
        try expect(
            try run(graph, ["x": value])["y"],
            rows.map { $0.map { Self.layerNorm($0, g, b, epsilon: Double(Float(1e-6))) } })
    }
}
