import ConcordCore
import ConcordExport
import ConcordONNX
import ConcordRuntime
import ConcordTensor
import ConcordTestSupport
import Testing

@Suite struct GraphRecorderTests {
    private let recorder = GraphRecorder(sizes: ["batch": (3, 4), "length": (7, 11)])

    private func input(_ name: String = "x", _ shape: [OnnxDimension] = ["batch", "length", 4]) -> RecordedInput {
        RecordedInput(name, shape: shape) { Tensor.normal($0, generator: Generator(seed: 3)) }
    }

    private func failure(_ body: ([Tensor]) throws -> [Tensor]) throws -> String {
        let error = try #require(
            #expect(throws: ConcordError.self) {
                try recorder.record("x", inputs: [input()], outputs: ["y"], body).build()
            })
        #expect(error.code == .invalidArgument)
        return error.message
    }

    /// Records `body` and compares it at other sizes.
    private func check(
        _ name: String, inputs: [RecordedInput]? = nil, _ body: @escaping (Tensor) -> Tensor
    ) throws {
        let graph = try recorder.record(name, inputs: inputs ?? [input()], outputs: ["y"]) { [body($0[0])] }
        let session = try OnnxSession(bytes: graph.build().bytes(), options: OnnxSessionOptions(threadsPerRun: 1))
        for (batch, length) in [(1, 1), (3, 2), (4, 11)] {
            let x = Tensor.normal([batch, length, 4], generator: Generator(seed: 9))
            let value = try x.withUnsafeBytes { try OnnxValue(bytes: $0, elementType: .float32, shape: x.shape) }
            let result = try #require(session.run(["x": value])["y"])
            let expected = body(x)
            #expect(result.shape == expected.shape, "\(name)")
            let numbers =
                try result.elementType == .float32
                ? result.values(of: Float.self) : result.values(of: Int64.self).map { Float($0) }
            expectClose(numbers, expected.to(.float32).scalars(as: Float.self), absolute: 1e-5, relative: 1e-5, name)
        }
    }

    @Test func shapesFollowTheSizes() throws {
        try check("flattened") { $0.flattened(from: 0, to: 1) }
        try check("joined") { $0.reshaped([$0.size(0), $0.size(1) * 4]) }
        try check("turned") { $0.transposed(0, 1).reshaped([$0.size(1), $0.size(0) * 2, 2]) }
        try check("permuted") { $0.permuted([2, 0, -2]) }
        try check("grown") { $0.unsqueezed(1).expanded(to: [$0.size(0), 3, $0.size(1), 4]) }
        try check("leading") { $0.selected(axis: 0, at: 0).expanded(to: [$0.size(0), $0.size(1), 4]) }
        try check("last") { $0.selected(axis: 1, at: -1) }
        try check("last by size") { $0.selected(axis: 1, at: $0.size(1) - 1) }
        try check("all but one") { $0.sliced(axis: 1, from: 0, to: $0.size(1) - 1) }
        try check("negative slice") { $0.sliced(axis: -1, from: -3, to: -1) }
        try check("ones in front") {
            Tensor.concatenated([Tensor.full([$0.size(0), 1, 4], 1), $0], axis: 1)
        }
        try check("positions") { $0 + Tensor.arange(Double($0.size(1))).to(.float32).unsqueezed(1) }
        try check("earlier") {
            let places = Tensor.arange(Double($0.size(1)))
            return places.lessOrEqual(to: places.unsqueezed(1)).to(.float32).matmul($0)
        }
    }

    @Test func elementsAndReductions() throws {
        try check("scalars") { ($0 * 2 + 1 - 0.5) / 3 }
        try check("clamped") { $0.clamped(min: -0.5, max: 0.25) }
        try check("functions") { ($0.exp() + $0.tanh() - $0.sigmoid()) * $0 }
        try check("quick") { $0 * (1.702 * $0).sigmoid() }
        try check("not quick") { ($0 + 1) * (1.702 * $0).sigmoid() }
        try check("gelu") { $0.gelu() + $0.gelu(tanhApproximation: true) }
        try check("softmax") { $0.softmax(axis: -1) }
        try check("mean") { $0.mean(axes: [1]) }
        try check("sum") { $0.sum(axes: [-1], keepingAxes: true) }
        try check("unit") { $0.normalized() }
        try check("maximum") { $0.max(axes: [1]) }
        try check("largest") { $0.argmax(axis: 1) }
        try check("where") { x in x.maskedFilled(x.lessOrEqual(to: 0), -2) + 1 }
    }

    /// A sum that is normed, and used before and after: the fused operation must not change who sees what.
    @Test func sumsThatAreNormedAndUsed() throws {
        let weight = Tensor([1, 2, 3, 4] as [Float]), bias = Tensor([0.5, 0, -0.5, 1] as [Float])
        try check("norm") { x in
            let sum = x + x.tanh()
            let before = sum * 2
            let normed = sum.layerNorm(shape: [4], weight: weight, bias: bias, epsilon: 1e-5)
            return before + normed + sum
        }
    }

    @Test func constantsAreWorkedOutOnce() throws {
        let table = Tensor((0..<8).map { Float($0) }, shape: [2, 4])
        let graph = try recorder.record("folded", inputs: [input()], outputs: ["y"]) {
            [$0[0] + (table * 2).exp().selected(axis: 0, at: 1)]
        }
        #expect(try graph.build().proto.graph.node.map(\.opType) == ["Add"])
    }

    @Test func refusesWhatCannotBeOneGraph() throws {
        #expect(try failure { [$0[0].cumulativeSum(axis: 1)] }.contains("aten::cumsum"))
        #expect(try failure { $0[0].size(0) == 3 ? [$0[0] + 1] : [$0[0] * 2] }.contains("mul.Scalar"))
        #expect(
            try failure { $0[0].size(0) == 3 ? [$0[0] + 1] : [$0[0].exp() + 1] }.contains("1 operations at one size"))
        #expect(try failure { [$0[0] + Tensor([Float($0[0].size(1))])] }.contains("another one"))
        #expect(try failure { [$0[0].dropout(probability: 0.5, generator: Generator(seed: 1))] }.contains("empty_like"))
        #expect(try failure { [$0[0] + Tensor.normal([4], generator: Generator(seed: 1))] }.contains("random"))
        let inPlace = try failure {
            let y = $0[0] + 1
            y.formMultiply(2)
            return [y]
        }
        #expect(inPlace.contains("in place"))
        #expect(
            try failure { [$0[0].sliced(axis: 1, from: 0, to: $0[0].size(1) * $0[0].size(1))] }.contains(
                "49 in one recording and 121"))
        var ambiguous = GraphRecorder(sizes: ["batch": (2, 3), "length": (5, 7)])
        ambiguous.usesFusedOperations = false
        let error = #expect(throws: ConcordError.self) {
            try ambiguous.record("x", inputs: [input()], outputs: ["y"]) {
                [$0[0].selected(axis: 1, at: $0[0].size(1) - 1)]
            }
        }
        #expect(error?.message.contains("2 · batch or length − 1") == true, "\(error?.message ?? "")")
        #expect(try failure { [$0[0], $0[0]] }.contains("2 values for 1 names"))
        let unknown = #expect(throws: ConcordError.self) {
            try recorder.record("x", inputs: [input("x", ["rows"])], outputs: ["y"]) { $0 }
        }
        #expect(unknown?.message.contains("'rows'") == true)
    }
}
