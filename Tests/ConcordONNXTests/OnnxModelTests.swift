import ConcordCore
import ConcordONNX
import ConcordRuntime
import ConcordTestSupport
import Foundation
import SwiftProtobuf
import Testing

@Suite struct OnnxModelTests {
    /// `y [batch, 50] = x [batch, 40] · w + b`, where `w` is large and `b` is not.
    private func model() throws -> OnnxModel {
        let graph = OnnxGraphBuilder(name: "layer", description: "x · w + b")
        let x = try graph.input("x", .float32, ["batch", 40])
        let w = try graph.constant(OnnxValue(OnnxModelTests.w, shape: [40, 50]), name: "w")
        let v = try graph.constant(OnnxValue([Float](repeating: 0.25, count: 2500), shape: [50, 50]), name: "v")
        let b = try graph.constant(OnnxValue(OnnxModelTests.b, shape: [50]), name: "b")
        let y = try graph.add("MatMul", [graph.add("Add", [graph.add("MatMul", [x, w]), b]), v])
        try graph.output(y, as: "y", .float32, ["batch", 50])
        return try graph.build()
    }

    private static let w = (0..<2000).map { Float($0 % 17) - 8 }
    private static let b = (0..<50).map { Float($0) / 2 }
    private static let x = (0..<120).map { Float($0 % 7) }

    /// What the model gives for `x [3, 40]`.
    private static let y: [Float] = (0..<3).flatMap { row -> [Float] in
        let hidden = (0..<50).map { column in
            (0..<40).reduce(b[column]) { $0 + x[row * 40 + $1] * w[$1 * 50 + column] }
        }
        return [Float](repeating: hidden.reduce(0, +) / 4, count: 50)
    }

    private func check(_ session: OnnxSession) throws {
        let y = try session.run(["x": OnnxValue(OnnxModelTests.x, shape: [3, 40])])["y"]
        // All numbers are multiples of 1/8 and small, so sums are exact in any order.
        #expect(try y?.values() == OnnxModelTests.y)
    }

    private func check(_ read: OnnxModel) throws {
        let model = try model()
        #expect(read.proto == model.proto)
        #expect(Set(read.weights.keys) == ["w", "v", "b"])
        for (name, value) in model.weights {
            #expect(try read.weights[name]?.values(of: Float.self) == value.values())
            #expect(read.weights[name]?.shape == value.shape)
        }
        #expect(read.weightByteCount == 4 * (2000 + 2500 + 50))
    }

    /// Of two models' constants those that are the same are written once, and others of the same name are not confused.
    @Test func modelsShareOneFileOfConstants() throws {
        try withTemporaryFolder { folder in
            let first = try model()
            var second = try model()
            second.weights["v"] = try OnnxValue([Float](repeating: 0.5, count: 2500), shape: [50, 50])
            let path = folder + "/a.onnx", other = folder + "/b.onnx", third = folder + "/c.onnx"
            try OnnxModel.write([(first, path), (second, other), (first, third)], sharedWeights: folder + "/w.data")
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
                    == ["a.onnx", "b.onnx", "c.onnx", "w.data"])
            // w [40, 50] at 0, v at the next multiple of 4096, the other v behind that.
            #expect(try Files.read(folder + "/w.data").count == 8192 + 12288 + 10000)
            try check(OnnxModel(path: path))
            try check(OnnxSession(path: path))
            try check(OnnxSession(path: third))
            let y = try OnnxSession(path: other).run(["x": OnnxValue(OnnxModelTests.x, shape: [3, 40])])["y"]
            #expect(try y?.values() == OnnxModelTests.y.map { $0 * 2 })
            let error = #expect(throws: ConcordError.self) {
                try OnnxModel.write([(first, folder + "/elsewhere/a.onnx")], sharedWeights: folder + "/w.data")
            }
            #expect(error?.code == .invalidArgument)
        }
    }

    @Test func comesBackFromOneFile() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/layer.onnx"
            try model().write(to: path)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["layer.onnx"])
            #expect(try Files.read(path) == model().bytes())
            try check(OnnxModel(path: path))
            try check(OnnxSession(path: path))
            try check(OnnxSession(bytes: Files.read(path)))
        }
    }

    @Test func comesBackFromAFileAndItsWeights() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/layer.onnx"
            try model().write(to: path, weights: .separate)
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == [
                    "layer.onnx", "layer.onnx.data",
                ])
            let initializers = try OnnxModelProto(serializedBytes: Files.read(path)).graph.initializer
            // Each begins on a page, and what is small stays inside.
            #expect(
                initializers.map(\.externalData).map { $0.map { "\($0.key)=\($0.value)" } } == [
                    ["location=layer.onnx.data", "offset=0", "length=8000"],
                    ["location=layer.onnx.data", "offset=8192", "length=10000"], [],
                ])
            #expect(try Files.read(path + ".data").count == 18192)
            try check(OnnxModel(path: path))
            try check(OnnxSession(path: path))
            // From memory nobody could say where the data file is.
            let error = #expect(throws: ConcordError.self) { try OnnxSession(bytes: Files.read(path)) }
            #expect(error?.code == .invalidModel)
            // In whatever folder both are.
            try FileManager.default.moveItem(atPath: folder, toPath: folder + "-moved")
            defer { try? FileManager.default.moveItem(atPath: folder + "-moved", toPath: folder) }
            try check(OnnxSession(path: folder + "-moved/layer.onnx"))
        }
    }

    @Test func anErrorLeavesTheOldModel() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/layer.onnx"
            try model().write(to: path)
            let before = try Files.read(path)
            // The constants have no room, so the model must not be replaced, either.
            try Files.makeFolder(path + ".data/taken")
            let error = #expect(throws: ConcordError.self) { try model().write(to: path, weights: .separate) }
            #expect(error?.code == .fileSystem && error?.message.contains("layer.onnx.data") == true)
            #expect(try Files.read(path) == before)
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == [
                    "layer.onnx", "layer.onnx.data",
                ])
        }
        #expect(throws: ConcordError.self) { try model().write(to: "/no/such/folder/layer.onnx") }
    }

    @Test func refusesWhatItCannotRead() throws {
        try withTemporaryFolder { folder in
            func failure(_ path: String) throws -> ConcordError {
                try #require(#expect(throws: ConcordError.self) { try OnnxModel(path: path) })
            }
            #expect(try failure(folder + "/none").code == .fileSystem)
            let path = folder + "/layer.onnx"
            try Files.replace(path, with: "no protocol buffer")
            #expect(try failure(path).code == .invalidModel)
            let good = try model()
            try Files.replace(path, with: Array(good.bytes().dropLast(100)))
            #expect(try failure(path).code == .invalidModel)

            func external(_ location: String, _ offset: String, _ length: String) throws -> String {
                var model = good
                model.weights["w"] = nil
                model.proto.graph.initializer[0].dataLocation = .external
                model.proto.graph.initializer[0].externalData = [
                    ("location", location), ("offset", offset), ("length", length),
                ]
                .map { entry in
                    var proto = OnnxStringStringEntryProto()
                    proto.key = entry.0
                    proto.value = entry.1
                    return proto
                }
                try Files.replace(path, with: model.bytes())
                let error = try failure(path)
                #expect(error.message.contains("'w'") || error.code == .fileSystem)
                return error.message
            }
            try Files.replace(folder + "/data", with: [UInt8](repeating: 0, count: 8000))
            #expect(try external("../data", "0", "8000").contains("elsewhere"))
            #expect(try external("/etc/passwd", "0", "8").contains("elsewhere"))
            #expect(try external("..", "0", "8").contains("elsewhere"))
            #expect(try external("none", "0", "8000").contains("/none"))
            #expect(try external("data", "8", "8000").contains("outside of data"))
            #expect(try external("data", "-8", "8000").contains("outside of data"))
            #expect(try external("data", "9223372036854775807", "8000").contains("outside of data"))
            #expect(try external("data", "0", "9223372036854775807").contains("outside of data"))
            #expect(try external("data", "0", "4").contains("does not fit its shape"))
        }
    }
}
