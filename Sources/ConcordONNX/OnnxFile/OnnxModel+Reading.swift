import ConcordCore
import ConcordRuntime
import Foundation
import SwiftProtobuf

extension OnnxModel {
    /// Reads a model that this package wrote, with the constants that lie in a file beside it.
    ///
    /// Throws `.fileSystem` when a file cannot be read, `.invalidModel` for what is no ONNX file, or has constants of
    /// a kind that this package does not write.
    public init(path: String) throws(ConcordError) {
        let bytes = try Files.read(path)
        do {
            proto = try OnnxModelProto(serializedBytes: bytes)
        } catch {
            throw ConcordError(.invalidModel, "\(path) is no ONNX model, or is damaged; export it again")
        }
        weights = [:]
        var dataFiles: [String: FileReader] = [:]
        for index in proto.graph.initializer.indices {
            let tensor = proto.graph.initializer[index]
            func invalid(_ reason: String) -> ConcordError {
                ConcordError(.invalidModel, "the constant '\(tensor.name)' of \(path) \(reason)")
            }
            guard let elementType = OnnxElementType(rawValue: tensor.dataType) else {
                throw invalid("has elements of ONNX's type \(tensor.dataType), which is not supported")
            }
            let shape = tensor.dims.map { Int($0) }
            func value(_ bytes: UnsafeRawBufferPointer) -> Result<OnnxValue, ConcordError> {
                Result { () throws(ConcordError) in
                    try OnnxValue(bytes: bytes, elementType: elementType, shape: shape)
                }.mapError { invalid("does not fit its shape: \($0.message)") }
            }
            if tensor.dataLocation == .external {
                let entries = Dictionary(
                    tensor.externalData.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
                guard let location = entries["location"], !location.isEmpty, !location.contains("/"), location != ".."
                else { throw invalid("lies elsewhere than in a file beside the model") }
                let file =
                    if let known = dataFiles[location] {
                        known
                    } else {
                        try FileReader(path: Files.parent(of: path) + "/" + location)
                    }
                dataFiles[location] = file
                guard let offset = Int(entries["offset"] ?? "0"), offset >= 0, offset <= file.count,
                    let length = Int(entries["length"] ?? "\(file.count - offset)"), length >= 0,
                    length <= file.count - offset
                else { throw invalid("lies outside of \(location), which has \(file.count) bytes") }
                weights[tensor.name] = try file.read(offset..<offset + length).withUnsafeBytes { value($0) }.get()
            } else {
                weights[tensor.name] = try tensor.rawData.withUnsafeBytes { value($0) }.get()
            }
            proto.graph.initializer[index].clearRawData()
            proto.graph.initializer[index].externalData = []
            proto.graph.initializer[index].clearDataLocation()
        }
    }
}
