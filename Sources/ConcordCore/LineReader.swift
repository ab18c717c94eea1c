import ConcordPlatform

/// Reads a file line by line, whatever its length, in the memory of its longest line.
///
/// Lines end with LF; a CR before it, and a byte order mark at the start of the file, are left out. The last line need
/// not end.
public final class LineReader {
    public let path: String
    /// The number of the line that ``next()`` gave last, from 1.
    public private(set) var number = 0
    /// Bytes of the file up to the end of that line.
    public private(set) var offset = 0
    /// Whether that line ended with LF: the last one of a file that is still being written may not.
    public private(set) var isWhole = true
    private let descriptor: Int32
    private var buffer = [UInt8](repeating: 0, count: 1 << 16)
    private var (start, end) = (0, 0)

    /// The longest line that is read, in bytes.
    public static let maximumLineBytes = 64 << 20

    /// Opens a regular file. Throws `.fileSystem`.
    public init(path: String) throws(ConcordError) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system("open", path) }
        self.path = path
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system("read", path) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw ConcordError(.fileSystem, "cannot read \(path): it is not a regular file; name a file")
        }
    }

    deinit { close(descriptor) }

    /// The bytes of the next line; nil at the end of the file.
    ///
    /// - Throws: `.fileSystem`; `.malformedText` for a line longer than ``maximumLineBytes``.
    public func next() throws(ConcordError) -> [UInt8]? {
        var line = [UInt8]()
        isWhole = false
        while !isWhole, try fill() {
            let rest = buffer[start..<end]
            let stop = rest.firstIndex(of: UInt8(ascii: "\n")) ?? end
            line += buffer[start..<stop]
            isWhole = stop < end
            start = isWhole ? stop + 1 : stop
            guard line.count <= Self.maximumLineBytes else {
                throw ConcordError(
                    .malformedText,
                    "\(path), line \(number + 1) is longer than \(Self.maximumLineBytes >> 20) MiB; is it a text file?")
            }
        }
        guard isWhole || !line.isEmpty else { return nil }
        number += 1
        offset += line.count + (isWhole ? 1 : 0)
        if number == 1, line.starts(with: [0xEF, 0xBB, 0xBF]) { line.removeFirst(3) }
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        return line
    }

    /// Whether there are bytes in the buffer, read if need be.
    private func fill() throws(ConcordError) -> Bool {
        while start == end {
            let count = buffer.withUnsafeMutableBytes { ConcordPlatform.read(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw .system("read", path) }
            if count == 0 { return false }
            (start, end) = (0, count)
        }
        return true
    }
}
