import ConcordCore
import ConcordRuntime
import Foundation
import SwiftProtobuf

extension OnnxModel {
    /// What the model's file has, in bytes, with all constants.
    public var fileByteCount: Int {
        let graph: [UInt8]? = try? proto.serializedBytes()
        return weightByteCount + (graph?.count ?? 0)
    }

    /// Opens the model. Throws as `OnnxSession` does.
    package func load(options: OnnxSessionOptions = OnnxSessionOptions()) throws(ConcordError) -> OnnxSession {
        guard weightByteCount > OnnxModel.inlineLimit else {
            return try OnnxSession(bytes: bytes(), options: options)
        }
        // Too large for one file, and constants beside a model have to lie in a folder.
        let folder = FileManager.default.temporaryDirectory.path + "/concord-" + UUID().uuidString
        try Files.makeFolder(folder)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try write(to: folder + "/model.onnx", weights: .separate)
        return try OnnxSession(path: folder + "/model.onnx", options: options)
    }
}
