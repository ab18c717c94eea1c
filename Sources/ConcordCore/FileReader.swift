import ConcordPlatform

/// A file that is open, to be read at any place and from any thread.
///
/// Not mapped into memory: a mapping shows what others do to the file afterwards, and ends the process where they cut it
/// short. A file that is replaced by a rename can be read on; one that is changed in place is noticed.
public final class FileReader: Sendable {
    public let path: String
    /// Length in bytes.
    public let count: Int
    private let descriptor: Int32
    private let stamp: FileStamp

    /// Opens the file at `path`. Throws `.fileSystem` when it cannot be opened or is not a regular file.
    public init(path: String) throws(ConcordError) {
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
    public func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(ConcordError) {
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
    public func read(_ range: Range<Int>) throws(ConcordError) -> [UInt8] {
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
