import ConcordCore
import ConcordRuntime
import Foundation

extension OnnxModel {
    /// Writes models whose constants lie in one file beside them, where what is the same in several is there once.
    ///
    /// Constants of less than a kilobyte stay in the models' files. Each file is replaced by way of a temporary one, the
    /// constants first; they belong together. Throws `.invalidArgument` when a model would lie in another folder than
    /// the constants, `.fileSystem`, `.invalidModel`.
    public static func write(
        _ models: [(model: OnnxModel, path: String)], sharedWeights dataPath: String
    ) throws(ConcordError) {
        let folder = Files.parent(of: dataPath), dataName = String(dataPath.split(separator: "/").last ?? "")
        var layout = WeightLayout()
        var files: [(path: String, bytes: [UInt8])] = []
        for (model, path) in models {
            guard Files.parent(of: path) == folder else {
                throw ConcordError(
                    .invalidArgument, "\(path) and its constants in \(dataPath) must lie in one folder")
            }
            var proto = model.proto
            var inline: Set<String> = []
            for index in proto.graph.initializer.indices {
                let name = proto.graph.initializer[index].name
                guard let value = model.weights[name] else { continue }
                guard value.byteCount >= separateMinimum else {
                    inline.insert(name)
                    continue
                }
                proto.graph.initializer[index].dataLocation = .external
                proto.graph.initializer[index].externalData = [
                    // Paths of constants are relative to the model's folder.
                    OnnxStringStringEntryProto("location", dataName),
                    OnnxStringStringEntryProto("offset", "\(layout.offset(of: value, named: name))"),
                    OnnxStringStringEntryProto("length", "\(value.byteCount)"),
                ]
            }
            files.append((path, try model.serialize(proto, inline: inline)))
        }
        if !layout.values.isEmpty {
            try replace(dataPath) { writer in
                var position = 0
                for (offset, value) in layout.values {
                    try writer.write([UInt8](repeating: 0, count: offset - position))
                    try value.withUnsafeBytes { bytes throws(ConcordError) in try writer.write(bytes) }
                    position = offset + value.byteCount
                }
            }
        }
        for file in files { try replace(file.path) { writer in try writer.write(file.bytes) } }
    }
}

/// Which constant begins where in a file; between them there are zeros.
private struct WeightLayout {
    /// In the order of their offsets.
    private(set) var values: [(offset: Int, value: OnnxValue)] = []
    private var places: [String: [Int]] = [:]

    /// Where a constant begins: where an equal one of the same name does, or at the end.
    mutating func offset(of value: OnnxValue, named name: String) -> Int {
        for place in places[name] ?? [] where values[place].value.isEqual(to: value) { return values[place].offset }
        let end = values.last.map { $0.offset + $0.value.byteCount } ?? 0
        let offset = (end + OnnxModel.alignment - 1) / OnnxModel.alignment * OnnxModel.alignment
        places[name, default: []].append(values.count)
        values.append((offset, value))
        return offset
    }
}

extension OnnxValue {
    fileprivate var byteCount: Int { count * elementType.byteCount }

    fileprivate func isEqual(to other: OnnxValue) -> Bool {
        guard elementType == other.elementType, count == other.count else { return false }
        return withUnsafeBytes { a in
            other.withUnsafeBytes { b in
                guard let first = a.baseAddress, let second = b.baseAddress else { return a.count == b.count }
                return first == second || memcmp(first, second, a.count) == 0
            }
        }
    }
}
