import ConcordCore
import ConcordONNX
import ConcordRuntime
import Testing

@Suite struct OnnxGraphBuilderTests {
    private func message(_ body: () throws -> Void) throws -> String {
        let error = try #require(#expect(throws: ConcordError.self, performing: body))
        #expect(error.code == .invalidArgument)
        return error.message
    }

    /// `y = gelu-like(x · w)` in a few nodes.
    private func graph(_ name: String = "small") throws -> OnnxGraphBuilder {
        let graph = OnnxGraphBuilder(name: name)
        let x = try graph.input("x", .float32, ["batch", 2])
        let w = try graph.constant(OnnxValue([1, 2, 3, 4] as [Float], shape: [2, 2]), name: "tower.w")
        let h = try graph.add("MatMul", [x, w], name: "tower.fc")
        let s = try graph.add("Sigmoid", [h], name: "tower.act")
        try graph.output(graph.add("Mul", [h, s], name: "tower.act"), as: "y", .float32, ["batch", 2])
        graph.metadata = ["b": "2", "a": "1"]
        return graph
    }

    @Test func writesWhatTheFormatAsksFor() throws {
        let proto = try graph().build().proto
        #expect(proto.irVersion == 8)
        #expect(proto.producerName == "concord")
        #expect(proto.opsetImport.map(\.domain) == [""] && proto.opsetImport.map(\.version) == [17])
        #expect(proto.metadataProps.map(\.key) == ["a", "b"])
        #expect(proto.graph.node.map(\.opType) == ["MatMul", "Sigmoid", "Mul"])
        #expect(proto.graph.node.map(\.name) == ["tower.fc", "tower.act", "tower.act_1"])
        #expect(proto.graph.node.map(\.input) == [["x", "tower.w"], ["tower.fc"], ["tower.fc", "tower.act"]])
        #expect(proto.graph.node.map(\.output) == [["tower.fc"], ["tower.act"], ["y"]])
        let input = proto.graph.input[0].type.tensorType
        #expect(input.elemType == 1)
        #expect(input.shape.dim[0].value == .dimParam("batch") && input.shape.dim[1].value == .dimValue(2))
        #expect(proto.graph.initializer[0].dims == [2, 2])
    }

    @Test func theSameCallsGiveTheSameBytes() throws {
        let first = try graph().build().bytes()
        #expect(try graph().build().bytes() == first)
        let twice = try graph()
        #expect(try twice.build().bytes() == twice.build().bytes())
    }

    @Test func importsTheFusedOperationsOnlyWhereTheyAreUsed() throws {
        let graph = OnnxGraphBuilder(name: "fused")
        let x = try graph.input("x", .float32, ["n"])
        let y = try graph.add("QuickGelu", [x], attributes: ["alpha": .float(1.702)], domain: .microsoft)
        try graph.output(y, as: "y", .float32, ["n"])
        let proto = try graph.build().proto
        #expect(proto.opsetImport.map(\.domain) == ["", "com.microsoft"])
        #expect(proto.opsetImport.map(\.version) == [17, 1])
        #expect(proto.graph.node[0].domain == "com.microsoft")
        #expect(proto.graph.node[0].attribute[0].type == .float && proto.graph.node[0].attribute[0].f == 1.702)
    }

    @Test func leavesOperandsAndResultsOut() throws {
        let graph = OnnxGraphBuilder(name: "gaps")
        let x = try graph.input("x", .float32, ["n", 4])
        let results = try graph.add(
            "SkipLayerNormalization", [x, x, x, nil, nil], domain: .microsoft, name: "norm", outputs: [0, 3])
        for (index, result) in results.enumerated() { try graph.output(result, as: "y\(index)", .float32, ["n", 4]) }
        let node = try #require(try graph.build().proto.graph.node.first)
        #expect(node.input == ["x", "x", "x"])
        #expect(node.output == ["y0", "", "", "y1"])
        let clip = try graph.add("Clip", [x, nil, graph.number(1)])
        try graph.output(clip, as: "clipped", .float32, ["n", 4])
        #expect(try graph.build().proto.graph.node[1].input == ["x", "", "number"])
    }

    @Test func keepsEqualSmallConstantsOnce() throws {
        let graph = OnnxGraphBuilder(name: "constants")
        let x = try graph.input("x", .int64, ["n", 2])
        #expect(try graph.integers([1, 2]) == graph.integers([1, 2]))
        #expect(try graph.integers([1, 2]) != graph.integers([2, 1]))
        #expect(try graph.integers([1]) != graph.integer(1))
        #expect(try graph.number(1) == graph.number(1))
        try graph.output(graph.add("Add", [x, graph.integers([2, 1])]), as: "y", .int64, ["n", 2])
        // The others are not used.
        #expect(try graph.build().proto.graph.initializer.map(\.name) == ["integers_1"])
    }

    @Test func leavesOutWhatNoOutputNeeds() throws {
        let graph = OnnxGraphBuilder(name: "pruned")
        let x = try graph.input("x", .float32, ["n"])
        _ = try graph.input("unused", .float32, ["n"])
        let large = try graph.constant(OnnxValue([1, 2] as [Float], shape: [2]), name: "large")
        let dead = try graph.add("Add", [x, large], name: "dead")
        _ = try graph.add("Neg", [dead], name: "alsoDead")
        let shared = try graph.add("Abs", [x], name: "shared")
        _ = try graph.add("Neg", [shared], name: "dead")
        try graph.output(graph.add("Exp", [shared], name: "exp"), as: "y", .float32, ["n"])
        let model = try graph.build()
        #expect(model.proto.graph.node.map(\.name) == ["shared", "exp"])
        #expect(model.weights.isEmpty && model.proto.graph.initializer.isEmpty)
        #expect(model.proto.graph.input.map(\.name) == ["x", "unused"])
        // Building is no end: what was left out can still be used.
        try graph.output(dead, as: "z", .float32, ["n"])
        #expect(try graph.build().proto.graph.node.map(\.name) == ["dead", "shared", "exp"])
        #expect(graph.freeName("large") == "large_1" && graph.freeName("small") == "small")
    }

    @Test func oneValueCanBeSeveralOutputs() throws {
        let graph = OnnxGraphBuilder(name: "copies")
        let x = try graph.input("x", .float32, ["n"])
        let w = try graph.constant(OnnxValue([1, 2, 3] as [Float], shape: [3]), name: "w")
        let y = try graph.add("Neg", [x])
        for name in ["y", "z"] { try graph.output(y, as: name, .float32, ["n"]) }
        try graph.output(x, as: "same", .float32, ["n"])
        try graph.output(w, as: "weights", .float32, [3])
        let outputs = try OnnxSession(bytes: graph.build().bytes())
            .run(["x": OnnxValue([4, -5] as [Float], shape: [2])])
        #expect(
            try outputs.mapValues { try $0.values(of: Float.self) } == [
                "y": [-4, 5], "z": [-4, 5], "same": [4, -5], "weights": [1, 2, 3],
            ])
    }

    @Test func writesEveryKindOfAttribute() throws {
        let graph = OnnxGraphBuilder(name: "attributes")
        let x = try graph.input("x", .float32, [])
        let tensor = try OnnxValue([1, 2] as [Int64], shape: [2])
        let y = try graph.add(
            "Any", [x],
            attributes: [
                "i": .int(0), "f": .float(0), "s": .string("é"), "is": .ints([1, -2]), "fs": .floats([0.5]),
                "t": .tensor(tensor),
            ])
        try graph.output(y, as: "y", .float32, [])
        let model = try graph.build()
        let attributes = model.proto.graph.node[0].attribute
        #expect(attributes.map(\.name) == ["i", "f", "s", "is", "fs", "t"])
        #expect(attributes.map(\.type) == [.int, .float, .string, .ints, .floats, .tensor])
        // Zero has to be there, not only absent: readers look whether it is set.
        #expect(attributes[0].hasI && attributes[1].hasF)
        #expect(Array(attributes[2].s) == Array("é".utf8))
        #expect(attributes[3].ints == [1, -2] && attributes[4].floats == [0.5])
        #expect(
            attributes[5].t.dims == [2]
                && Array(attributes[5].t.rawData) == [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0])
        // A single number has a shape without axes; that is not the same as no shape.
        #expect(model.proto.graph.input[0].type.tensorType.hasShape)
    }

    @Test func refusesWhatMakesNoGraph() throws {
        let graph = try graph("first")
        let other = OnnxGraphBuilder(name: "second")
        let foreign = try other.input("x", .float32, [1])
        #expect(try message { _ = try graph.add("Neg", [foreign]) }.contains("another graph than 'first'"))
        #expect(try message { try graph.output(foreign, as: "z", .float32, [1]) }.contains("another graph"))
        #expect(try message { _ = try graph.input("x", .float32, [1]) }.contains("'x'"))
        #expect(try message { _ = try graph.input("", .float32, [1]) }.contains("not empty"))
        #expect(
            try message { _ = try graph.constant(OnnxValue([1] as [Float], shape: []), name: "tower.w") }.contains(
                "tower.w"))
        #expect(try message { _ = try other.build() }.contains("'second' has no output"))
        let y = try other.add("Neg", [foreign])
        #expect(try message { try other.output(y, as: "x", .float32, [1]) }.contains("'x'"))
    }
}
