/// A file that is open, to be read at any place and from any thread.
///
/// Not mapped into memory: a mapping shows what others do to the file afterwards, and ends the process where they cut it
/// short. A file that is replaced by a rename can be read on; one that is changed in place is noticed.
package final class FileReader: Sendable {
    package let path: String
    /// Length in bytes.
    package let count: Int
    private let descriptor: Int32
    private let stamp: FileStamp

    /// Opens the file at `path`. Throws `.fileSystem` when it cannot be opened or is not a regular file.
    package init(path: String) throws(ConcordError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system("open", path) }
        var status = stat()
        let isKnown = fstat(descriptor, &status) == 0
        guard isKnown, status.st_mode & S_IFMT == S_IFREG else {
            let error: ConcordError =
                isKnown
                ? ConcordError(.fileSystem, "cannot read \(path): it is not a regular file; name a file")
                : .system("read the size of", path)
            close(descriptor)
            throw error
        }
        self.path = path
        self.descriptor = descriptor
        count = Int(status.st_size)
        stamp = FileStamp(status)
    }

    deinit { close(descriptor) }

    /// Fills `buffer` with the bytes from `offset` on.
    ///
    /// Throws `.fileSystem` when they cannot be read, or the file is not the one any more that was opened.
    package func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(ConcordError) {
        var filled = 0
        while filled < buffer.count {
            let got = pread(
                descriptor, buffer.baseAddress.map { $0 + filled }, buffer.count - filled, off_t(offset + filled))
            if got < 0 && errno == EINTR { continue }
            guard got >= 0 else { throw .system("read", path) }
            if got == 0 { break }
            filled += got
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system("read the size of", path) }
        guard filled == buffer.count, FileStamp(status) == stamp else {
            throw ConcordError(
                .fileSystem,
                "\(path) was changed while it was read (it had \(count) bytes, and has \(status.st_size)); run again "
                    + "when it is complete, and replace files by a rename")
        }
    }

    /// The bytes of a range. Throws as ``read(at:into:)``.
    package func read(_ range: Range<Int>) throws(ConcordError) -> [UInt8] {
        var failure: ConcordError?
        let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, filled in
            do throws(ConcordError) {
                try read(at: range.lowerBound, into: UnsafeMutableRawBufferPointer(buffer))
                filled = range.count
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }
}

/// Reads a file line by line, whatever its length, in the memory of its longest line.
///
/// Lines end with LF; a CR before it, and a byte order mark at the start of the file, are left out. The last line need
/// not end.
package final class LineReader {
    package let path: String
    /// The number of the line that ``next()`` gave last, from 1.
    package private(set) var number = 0
    /// Bytes of the file up to the end of that line.
    package private(set) var offset = 0
    /// Whether that line ended with LF: the last one of a file that is still being written may not.
    package private(set) var isWhole = true
    private let descriptor: Int32
    private var buffer = [UInt8](repeating: 0, count: 1 << 16)
    private var (start, end) = (0, 0)

    /// The longest line that is read, in bytes.
    package static let maximumLineBytes = 64 << 20

    /// Opens a regular file. Throws `.fileSystem`.
    package init(path: String) throws(ConcordError) {
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
    package func next() throws(ConcordError) -> [UInt8]? {
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
            let count = buffer.withUnsafeMutableBytes { ConcordCore.read(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw .system("read", path) }
            if count == 0 { return false }
            (start, end) = (0, count)
        }
        return true
    }
}
