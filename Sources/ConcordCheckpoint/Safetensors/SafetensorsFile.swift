import ConcordCore

/// An open safetensors file: the header is read and checked at once, each tensor when it is asked for.
///
/// The format is that of https://github.com/huggingface/safetensors: eight bytes of header length, a JSON header,
/// then the tensors' bytes, little-endian and row-major. The header is treated as hostile: every number in it is
/// checked before it is used.
public struct SafetensorsFile: Sendable {
    /// One tensor of the file.
    public struct Entry: Sendable, Hashable {
        public let name: String
        public let dtype: DType
        public let shape: [Int]
        /// The tensor's bytes in the file.
        public let byteRange: Range<Int>

    }

    /// A tensor of a type that the tensor engine lacks, such as `F8_E4M3`.
    package struct UnreadableEntry: Sendable, Hashable {
        package let name: String
        /// The type's name in the header.
        package let dtypeName: String
        package let shape: [Int]
        /// The tensor's bytes in the file.
        package let byteRange: Range<Int>
    }

    package let file: FileReader
    /// The strings of `__metadata__`, empty when the file has none.
    public let metadata: [String: String]
    /// The tensors in the order of their bytes.
    public let entries: [Entry]
    /// The tensors that nobody can read, in the order of the header.
    package let unreadable: [UnreadableEntry]
    // Keyed by bytes: `String` equality would merge names that are canonically equivalent.
    private let positions: [[UInt8]: Int]

    /// Opens the file at `path` and checks its whole header.
    ///
    /// - Throws: `.fileSystem` when it cannot be read, `.invalidCheckpoint` when it is not what the format allows.
    public init(path: String) throws(ConcordError) {
        let file = try FileReader(path: path)
        let header = try SafetensorsHeader(file)
        self.file = file
        metadata = header.metadata
        entries = header.entries
        unreadable = header.unreadable
        positions = header.positions
    }

    /// The tensor called `name`; nil when the file has none of that name.
    public subscript(name: String) -> Entry? { positions[Array(name.utf8)].map { entries[$0] } }

    /// Reads one tensor: its bytes, in the file's byte order (little-endian). Valid only inside the closure.
    ///
    /// Throws as `FileReader.read(at:into:)`, and what `body` throws.
    public func withUnsafeBytes<Result>(
        of entry: Entry, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: entry.byteRange.count, alignment: 64)
        defer { bytes.deallocate() }
        try file.read(at: entry.byteRange.lowerBound, into: bytes)
        return try body(UnsafeRawBufferPointer(bytes))
    }
}
