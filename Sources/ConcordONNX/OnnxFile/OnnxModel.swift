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
        try OnnxModel.write([(self, path)], sharedWeights: path + ".data")
    }

    func serialize(_ proto: OnnxModelProto, inline: Set<String>) throws(ConcordError) -> [UInt8] {
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

    static func replace(
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
