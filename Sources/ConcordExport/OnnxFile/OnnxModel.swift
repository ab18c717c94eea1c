import ConcordCore
import ConcordRuntime
import Foundation
import SwiftProtobuf

/// An ONNX model in memory: its graph, and apart from it the elements of its constants.
public struct OnnxModel: Sendable {
    /// Without the elements of its initializers.
    package var proto: OnnxModelProto
    /// The elements of the initializers, by name.
    package var weights: [String: OnnxValue]

    package init(proto: OnnxModelProto, weights: [String: OnnxValue]) {
        self.proto = proto
        self.weights = weights
    }

    /// Where the elements of constants go when a model is written.
    public enum WeightLocation: Hashable, Sendable {
        /// Into the model's file; where that would exceed the 2 GB that the format allows, beside it.
        case automatic
        /// Into a file beside it, with `.data` added to its name; but those of less than a kilobyte, which shapes are
        /// worked out from, stay inside.
        case separate
    }

    /// Bytes that constants may have in all and still go into the model's file, with room for the graph.
    package static let inlineLimit = 2_000_000_000
    /// Constants of fewer bytes stay in the model's file.
    static let separateMinimum = 1024
    /// What each constant of the data file begins at a multiple of, so that it can be mapped into memory.
    static let alignment = 4096

    /// The bytes of all constants.
    public var weightByteCount: Int {
        weights.values.reduce(0) { $0 + $1.count * $1.elementType.byteCount }
    }

    // MARK: - Writing

    /// The model's file, with all constants inside. Throws `.invalidModel` when that would be 2 GB or more.
    public func bytes() throws(ConcordError) -> [UInt8] {
        guard weightByteCount <= OnnxModel.inlineLimit else {
            throw ConcordError(
                .invalidModel,
                "a file of the ONNX format has less than 2 GB, and the constants alone have "
                    + "\(weightByteCount) bytes; write it with its constants in a separate file")
        }
        return try serialize(proto, inline: Set(weights.keys))
    }

    /// Writes the model by way of a temporary file, so that a crash leaves the version before or the whole new one.
    ///
    /// With separate constants there are two files, each replaced so, the constants first; they belong together.
    /// Throws `.fileSystem`, `.invalidModel`.
    public func write(to path: String, weights location: WeightLocation = .automatic) throws(ConcordError) {
        guard location == .separate || weightByteCount > OnnxModel.inlineLimit else {
            let bytes = try bytes()
            return try OnnxModel.replace(path) { writer in try writer.write(bytes) }
        }
        let dataPath = path + ".data"
        // Paths of constants are relative to the model's folder.
        let dataName = String(dataPath.split(separator: "/").last ?? "")
        var proto = proto
        var inline: Set<String> = []
        var separate: [(offset: Int, value: OnnxValue)] = []
        var end = 0
        for index in proto.graph.initializer.indices {
            let name = proto.graph.initializer[index].name
            guard let value = weights[name] else { continue }
            let length = value.count * value.elementType.byteCount
            guard length >= OnnxModel.separateMinimum else {
                inline.insert(name)
                continue
            }
            let offset = (end + OnnxModel.alignment - 1) / OnnxModel.alignment * OnnxModel.alignment
            end = offset + length
            separate.append((offset, value))
            proto.graph.initializer[index].dataLocation = .external
            proto.graph.initializer[index].externalData = [
                OnnxStringStringEntryProto("location", dataName), OnnxStringStringEntryProto("offset", "\(offset)"),
                OnnxStringStringEntryProto("length", "\(length)"),
            ]
        }
        let bytes = try serialize(proto, inline: inline)
        if !separate.isEmpty { try OnnxModel.writeWeights(separate, to: dataPath) }
        try OnnxModel.replace(path) { writer in try writer.write(bytes) }
    }

    /// Writes values at their offsets, which rise; between them there are zeros.
    private static func writeWeights(
        _ values: [(offset: Int, value: OnnxValue)], to path: String
    ) throws(ConcordError) {
        try replace(path) { writer in
            var position = 0
            for (offset, value) in values {
                try writer.write([UInt8](repeating: 0, count: offset - position))
                try value.withUnsafeBytes { bytes throws(ConcordError) in try writer.write(bytes) }
                position = offset + value.count * value.elementType.byteCount
            }
        }
    }

    private func serialize(_ proto: OnnxModelProto, inline: Set<String>) throws(ConcordError) -> [UInt8] {
        var proto = proto
        for index in proto.graph.initializer.indices {
            let name = proto.graph.initializer[index].name
            guard inline.contains(name), let value = weights[name] else { continue }
            // Borrowed: `weights` holds the memory until this function ends, and the copy of the graph goes with it.
            proto.graph.initializer[index].rawData = value.withUnsafeBytes { bytes in
                bytes.baseAddress.map {
                    Data(bytesNoCopy: UnsafeMutableRawPointer(mutating: $0), count: bytes.count, deallocator: .none)
                } ?? Data()
            }
        }
        do {
            let bytes: [UInt8] = try proto.serializedBytes()
            withExtendedLifetime(weights) {}
            return bytes
        } catch {
            throw ConcordError(.invalidModel, "the model '\(proto.graph.name)' cannot be written as ONNX: \(error)")
        }
    }

    private static func replace(
        _ path: String, _ body: (borrowing FileWriter) throws -> Void
    ) throws(ConcordError) {
        do {
            try Files.replace(path, body)
        } catch let error as ConcordError {
            throw error
        } catch {
            throw ConcordError(.fileSystem, "cannot write \(path): \(error)")
        }
    }
}
