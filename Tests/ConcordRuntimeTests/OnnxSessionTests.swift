import ConcordCore
import ConcordONNX
import ConcordRuntime
import ConcordTestSupport
import Foundation
import Testing

@Suite struct OnnxSessionTests {
    private func failure(_ body: () throws -> Void) throws -> ConcordError {
        try #require(#expect(throws: ConcordError.self) { try body() })
    }

    @Test func describesTheModel() throws {
        let session = try OnnxSession(bytes: SmallModels.linear())
        #expect(session.inputs.map(\.description) == ["x: float32[batch, 3]"])
        #expect(session.outputs.map(\.description) == ["y: float32[batch, 2]"])
        #expect(session.inputs[0].shape == ["batch", 3])
        #expect(session.metadata.producer == "concord")
        #expect(session.metadata.graph == "linear")
        #expect(session.metadata.description == "a layer")
        #expect(session.metadata.entries == ["pooling": "last", "author": "Ünï"])
        #expect(try OnnxSession(bytes: SmallModels.pair()).metadata.entries.isEmpty)
    }

    @Test func runs() throws {
        let session = try OnnxSession(bytes: SmallModels.linear())
        for batch in [1, 3, 7] {
            let x = (0..<3 * batch).map { Float($0) - 4 }
            let inputs = ["x": try OnnxValue(x, shape: [batch, 3])]
            let expected = SmallModels.linear(x)
            let result = try #require(session.run(inputs)["y"])
            #expect(result.shape == [batch, 2])
            #expect(try result.values() == expected)
            #expect(try session.run(inputs, outputs: ["y"])["y"]?.values() == expected)
        }
    }

    @Test func givesTheOutputsThatAreAskedFor() throws {
        let session = try OnnxSession(bytes: SmallModels.pair())
        let ids = try OnnxValue([1, 2, 3, 4] as [Int64], shape: [2, 2])
        let mask = try OnnxValue([10, 20, 30, 40] as [Int64], shape: [2, 2])
        let all = try session.run(["ids": ids, "mask": mask])
        #expect(Set(all.keys) == ["total", "first"])
        let total = try session.run(["ids": ids, "mask": mask], outputs: ["total"])
        #expect(total.count == 1)
        #expect(try total["total"]?.values() == [11, 22, 33, 44] as [Int64])
        // An output is an input of the next run, as it is.
        let again = try session.run(["ids": #require(total["total"]), "mask": mask])
        #expect(try again["total"]?.values() == [21, 42, 63, 84] as [Int64])
    }

    @Test func letsNaNAndEmptyBatchesThrough() throws {
        let session = try OnnxSession(bytes: SmallModels.linear())
        let x: [Float] = [.nan, 1, 1, 1, 1, 1, .infinity, 1, 1]
        let y: [Float] = try #require(session.run(["x": OnnxValue(x, shape: [3, 3])])["y"]).values()
        #expect(y[0].isNaN && y[1].isNaN)
        #expect(y[2] == 19 && y[3] == 32)
        #expect(y[4] == .infinity && y[5] == .infinity)
        let empty = try session.run(["x": OnnxValue([] as [Float], shape: [0, 3])])
        #expect(empty["y"]?.shape == [0, 2])
    }

    @Test func namesWhatIsWrongWithTheInputs() throws {
        let linear = try OnnxSession(bytes: SmallModels.linear())
        let pair = try OnnxSession(bytes: SmallModels.pair())
        let x = try OnnxValue([1, 2, 3] as [Float], shape: [1, 3])
        func ids(_ shape: [Int]) throws -> OnnxValue { try OnnxValue(zeros: .int64, shape: shape) }
        let cases: [(OnnxSession, [String: OnnxValue], [String]?, ConcordError.Code, [String])] = [
            (linear, [:], nil, .invalidArgument, ["'x' is missing", "float32[batch, 3]"]),
            (linear, ["x": x, "xx": x], nil, .invalidArgument, ["no input 'xx'", "did you mean 'x'?"]),
            (linear, ["x": x], ["z"], .invalidArgument, ["no output 'z'", "outputs: y"]),
            (linear, ["x": x], ["y", "y"], .invalidArgument, ["'y' is requested twice"]),
            (linear, ["x": x], [], .invalidArgument, ["no outputs"]),
            (linear, ["x": try ids([1, 3])], nil, .dtypeMismatch, ["'x' takes float32", "got int64"]),
            (
                linear, ["x": try x.reshaped([3])], nil, .shapeMismatch,
                ["input x: float32[batch, 3]", "[3]:", "1 axes, but 2"]
            ),
            (linear, ["x": try x.reshaped([3, 1])], nil, .shapeMismatch, ["axis 1", "length 1, but 3 is expected"]),
            (
                pair, ["ids": try ids([2, 4]), "mask": try ids([2, 5])], nil, .shapeMismatch,
                ["'length' is 5 here", "4 in the input 'ids'"]
            ),
        ]
        for (session, inputs, outputs, code, parts) in cases {
            let error = try failure { _ = try session.run(inputs, outputs: outputs) }
            #expect(error.code == code, "\(error)")
            for part in parts { #expect(error.message.contains(part), "\(error)") }
        }
    }

    @Test func refusesWhatIsNoModel() throws {
        try withTemporaryFolder { folder in
            let missing = try failure { _ = try OnnxSession(path: folder + "/none.onnx") }
            #expect(missing.code == .fileSystem && missing.message.contains(folder + "/none.onnx"))
            #expect(try failure { _ = try OnnxSession(path: folder) }.code == .fileSystem)
            let model = try SmallModels.linear()
            let cases: [(String, [UInt8])] = [
                ("empty", []), ("text", Array("just some text".utf8)), ("truncated", Array(model.dropLast(40))),
                ("half", Array(model.prefix(model.count / 2))),
                ("noise", (0..<200).map { UInt8(truncatingIfNeeded: $0 &* 97) }),
            ]
            for (name, bytes) in cases {
                let path = folder + "/\(name).onnx"
                try Files.replace(path, with: bytes)
                let error = try failure { _ = try OnnxSession(path: path) }
                #expect(error.code == .invalidModel && error.message.contains(path), "\(name): \(error)")
                #expect(try failure { _ = try OnnxSession(bytes: bytes) }.code == .invalidModel, "\(name)")
            }
        }
    }

    @Test func namesAnOperationThatIsUnknown() throws {
        let graph = OnnxGraphBuilder(name: "odd")
        let x = try graph.input("x", .float32, ["batch"])
        try graph.output(graph.add("Frobnicate", [x]), as: "y", .float32, ["batch"])
        let error = try failure { _ = try OnnxSession(bytes: graph.build().bytes()) }
        #expect(error.code == .invalidModel && error.message.contains("Frobnicate"), "\(error)")
    }

    @Test func reportsARunThatFails() throws {
        let graph = OnnxGraphBuilder(name: "odd")
        let x = try graph.input("x", .float32, ["n"])
        try graph.output(graph.add("Reshape", [x, graph.integers([2, 3])]), as: "y", .float32, [2, 3])
        let session = try OnnxSession(bytes: graph.build().bytes())
        let good = try session.run(["x": OnnxValue(zeros: .float32, shape: [6])])
        #expect(good["y"]?.shape == [2, 3])
        let error = try failure { _ = try session.run(["x": OnnxValue(zeros: .float32, shape: [5])]) }
        #expect(error.code == .inference && error.message.contains("Reshape"), "\(error)")
        // The session is as good as before.
        #expect(try session.run(["x": OnnxValue(zeros: .float32, shape: [6])])["y"]?.shape == [2, 3])
    }

    @Test func refusesImpossibleOptions() throws {
        let model = try SmallModels.linear()
        var options = OnnxSessionOptions(threadsPerRun: 0)
        #expect(try failure { _ = try OnnxSession(bytes: model, options: options) }.code == .invalidArgument)
        options = OnnxSessionOptions(threadsPerRun: 2)
        options.processorsOfThreads = [[0], [0]]
        #expect(try failure { _ = try OnnxSession(bytes: model, options: options) }.code == .invalidArgument)
        options.processorsOfThreads = [[0]]
        let inputs = ["x": try OnnxValue([1, 2, 3] as [Float], shape: [1, 3])]
        #expect(
            try OnnxSession(bytes: model, options: options).run(inputs)["y"]?.values()
                == SmallModels.linear([1, 2, 3]))
        for level in OnnxSessionOptions.GraphOptimization.allCases {
            var options = OnnxSessionOptions(threadsPerRun: 1)
            options.graphOptimization = level
            options.usesMemoryArena = level == .none
            options.usesMemoryPatterns = level == .basic
            options.isSpinning = level == .extended
            let session = try OnnxSession(bytes: model, options: options)
            #expect(try session.run(inputs)["y"]?.values() == SmallModels.linear([1, 2, 3]))
        }
    }
}
