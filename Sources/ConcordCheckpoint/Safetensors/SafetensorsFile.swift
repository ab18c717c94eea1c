import ConcordCore

/// A safetensors file, mapped into memory: the header is read and checked at once, the tensors as they are touched.
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
        /// Where the tensor's bytes stand in the file.
        public let byteRange: Range<Int>

        /// Whether the first element stands at a multiple of its size, so that it may be borrowed in place.
        public var isAligned: Bool { byteRange.lowerBound.isMultiple(of: dtype.byteCount) }
    }

    /// The mapped file; keep it alive for as long as bytes of it are borrowed.
    public let file: MappedFile
    /// The strings of `__metadata__`, empty when the file has none.
    public let metadata: [String: String]
    /// The tensors in the order of their bytes.
    public let entries: [Entry]
    // Keyed by bytes: `String` equality would merge names that are canonically equivalent.
    private let positions: [[UInt8]: Int]

    /// Maps the file at `path` and checks its whole header.
    ///
    /// - Throws: `.fileSystem` when it cannot be read, `.invalidCheckpoint` when it is not what the format allows.
    public init(path: String) throws(ConcordError) {
        let file = try MappedFile(path: path)
        let parsed: Result<SafetensorsHeader, ConcordError> = file.withUnsafeBytes { bytes in
            do throws(ConcordError) {
                return .success(try SafetensorsHeader(bytes, path: path))
            } catch {
                return .failure(error)
            }
        }
        let header = try parsed.get()
        self.file = file
        metadata = header.metadata
        entries = header.entries
        positions = header.positions
    }

    /// The tensor called `name`; nil when the file has none of that name.
    public subscript(name: String) -> Entry? { positions[Array(name.utf8)].map { entries[$0] } }

    /// The bytes of one tensor, in the file's byte order (little-endian). Valid only inside the closure.
    public func withUnsafeBytes<Result>(
        of entry: Entry, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        try file.withUnsafeBytes { bytes in try body(UnsafeRawBufferPointer(rebasing: bytes[entry.byteRange])) }
    }
}
