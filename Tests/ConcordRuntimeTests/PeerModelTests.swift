import ConcordCore
import ConcordONNX
import ConcordRuntime
import ConcordTestSupport
import Foundation
import Testing

/// A model that the Python package onnx wrote (`scripts/golden/make_onnx.py`).
@Suite struct PeerModelTests {
    private let path = Golden.folder("onnx") + "/peer.onnx"

    private func numbers(_ name: String) throws -> [Double] {
        try #require(Golden.json("onnx", "peer.json")[name]?.elements).compactMap(\.double)
    }

    private func check(_ session: OnnxSession) throws {
        let ids = try numbers("ids").map { Int64($0) }
        let outputs = try session.run(["ids": OnnxValue(ids, shape: [3, 3])])
        for name in ["y", "normed"] {
            let values: [Float] = try #require(outputs[name]).values()
            expectClose(values, try numbers(name), absolute: 1e-6, relative: 1e-6, name)
        }
    }

    @Test func givesWhatTheReferenceGives() throws {
        let session = try OnnxSession(path: path)
        #expect(session.inputs.map(\.description) == ["ids: int64[batch, length]"])
        #expect(session.outputs.map(\.description) == ["y: float32[batch, 4]", "normed: float32[batch, length, 4]"])
        #expect(session.metadata.producer == "onnx")
        #expect(session.metadata.graph == "peer")
        #expect(session.metadata.entries == ["pooling": "mean"])
        try check(session)
    }

    @Test func ourReaderAndWriterKeepIt() throws {
        let model = try OnnxModel(path: path)
        #expect(try model.weights["table"]?.values(of: Float.self).map { Double($0) } == numbers("table"))
        #expect(model.weights["table"]?.shape == [6, 4])
        #expect(model.proto.graph.node.map(\.opType) == ["Gather", "LayerNormalization", "ReduceMean", "Softmax"])
        #expect(model.proto.graph.node[1].attribute[0].f == 1e-5)
        // The domain is a field that this package has no name for.
        #expect(try String(decoding: model.bytes(), as: UTF8.self).contains("org.example"))
        try check(OnnxSession(bytes: model.bytes()))
        try withTemporaryFolder { folder in
            try model.write(to: folder + "/peer.onnx", weights: .separate)
            // All of its constants are small, so there is no other file.
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["peer.onnx"])
            #expect(try OnnxModel(path: folder + "/peer.onnx").proto == model.proto)
        }
    }
}
