import ConcordCore

/// Writes safetensors files, byte for byte as the reference library does.
public enum SafetensorsWriter {
    /// Metadata that the Python libraries require before they load a file into PyTorch.
    public static let standardMetadata = ["format": "pt"]

    /// Replaces the file at `path` with the tensors, atomically: until all is on disk the old file stands.
    ///
    /// Tensors are ordered by element size, then by name; the header is padded with spaces to eight bytes. The bytes
    /// stream from the tensors to the disk without a copy of the whole file in memory.
    ///
    /// - Parameters:
    ///   - tensors: in any order; names must differ.
    ///   - metadata: strings for `__metadata__`, written in order of their keys; empty writes none.
    /// - Throws: `.invalidCheckpoint` for two tensors of one name, an impossible shape, or a tensor that produces
    ///   another number of bytes than its shape takes; `.fileSystem` when the disk refuses.
    public static func write(
        to path: String, tensors: [SafetensorsTensor], metadata: [String: String] = standardMetadata
    ) throws {
        let ordered = inOrder(tensors)
        let (header, sizes) = try header(ordered, metadata: metadata, path: path)
        try Files.replace(path) { file in
            try file.write(header)
            for (tensor, size) in zip(ordered, sizes) {
                var written = 0
                try tensor.produce { bytes in
                    written += bytes.count
                    guard written <= size else { return }
                    try file.write(bytes)
                }
                guard written == size else {
                    throw ConcordError(
                        .invalidCheckpoint,
                        "cannot save \(path): tensor `\(tensor.name)` produced \(written) bytes where "
                            + "\(tensor.dtype) \(tensor.shape) takes \(size)")
                }
            }
        }
    }

    /// The order of the tensors in a file.
    private static func inOrder(_ tensors: [SafetensorsTensor]) -> [SafetensorsTensor] {
        tensors.sorted { left, right in
            left.dtype != right.dtype
                ? left.dtype.safetensorsRank < right.dtype.safetensorsRank
                : left.name.utf8.lexicographicallyPrecedes(right.name.utf8)
        }
    }

    /// Has the tensors produce their bytes in the order of a file that another process writes, and drops them: they may
    /// come from several processes, which then have to take part.
    package static func produce(_ tensors: [SafetensorsTensor]) throws {
        for tensor in inOrder(tensors) { try tensor.produce { _ in } }
    }

    /// The header of a file with one tensor, for callers that write its values piece by piece.
    ///
    /// Throws as ``write(to:tensors:metadata:)``.
    package static func header(
        _ name: String, _ dtype: DType, _ shape: [Int], path: String
    ) throws(ConcordError) -> [UInt8] {
        try header([SafetensorsTensor(name, dtype, shape) { _ in }], metadata: standardMetadata, path: path).bytes
    }

    /// The length, the JSON and its padding; and the bytes that each tensor takes.
    private static func header(
        _ tensors: [SafetensorsTensor], metadata: [String: String], path: String
    ) throws(ConcordError) -> (bytes: [UInt8], sizes: [Int]) {
        func failure(_ problem: String) -> ConcordError {
            ConcordError(.invalidCheckpoint, "cannot save \(path): \(problem)")
        }
        func quoted(_ text: String) -> String { JSONValue.string(text).text() }
        var members = [String]()
        if !metadata.isEmpty {
            let pairs = metadata.sorted { $0.key < $1.key }.map { "\(quoted($0.key)):\(quoted($0.value))" }
            members.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
        }
        var names: Set<[UInt8]> = [Array("__metadata__".utf8)]
        var sizes = [Int]()
        var offset = 0
        for tensor in tensors {
            guard names.insert(Array(tensor.name.utf8)).inserted else {
                throw failure("two tensors are called `\(tensor.name)`")
            }
            guard let size = byteCount(of: tensor.dtype, shape: tensor.shape),
                case let (end, overflow) = offset.addingReportingOverflow(size), !overflow
            else { throw failure("tensor `\(tensor.name)` has the impossible shape \(tensor.shape)") }
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            members.append(
                "\(quoted(tensor.name)):{\"dtype\":\"\(tensor.dtype.safetensorsName)\",\"shape\":[\(shape)],"
                    + "\"data_offsets\":[\(offset),\(end)]}")
            sizes.append(size)
            offset = end
        }
        var json = Array("{\(members.joined(separator: ","))}".utf8)
        while !json.count.isMultiple(of: 8) { json.append(UInt8(ascii: " ")) }
        guard json.count <= SafetensorsHeader.maximumByteCount else {
            throw failure("its header would have \(json.count) bytes; split the model into several files")
        }
        return (withUnsafeBytes(of: UInt64(json.count).littleEndian, Array.init) + json, sizes)
    }
}

/// A tensor to be saved: what the header says of it, and where its bytes come from.
public struct SafetensorsTensor {
    /// Takes bytes; may be called several times, with one chunk after another.
    public typealias Sink = (UnsafeRawBufferPointer) throws -> Void

    package let name: String
    package let dtype: DType
    package let shape: [Int]
    let produce: (Sink) throws -> Void

    /// A tensor whose bytes `produce` hands to the sink when the file is written: little-endian, row-major.
    ///
    /// Nothing is held until then, so a model on a device needs host memory for one tensor at a time only.
    public init(_ name: String, _ dtype: DType, _ shape: [Int], produce: @escaping (Sink) throws -> Void) {
        self.name = name
        self.dtype = dtype
        self.shape = shape
        self.produce = produce
    }

    /// A tensor of values in memory.
    public init<Element: BitwiseCopyable>(_ name: String, _ dtype: DType, _ shape: [Int], values: [Element]) {
        self.init(name, dtype, shape) { sink in try values.withUnsafeBytes(sink) }
    }
}
