import ConcordPlatform

/// A file mapped into memory: no second copy, pages come in as they are touched.
///
/// The mapping is private: whoever borrows the memory may change it, and then has a copy of the changed pages; the
/// file never changes. Training writes to borrowed weights in this way.
///
/// `@unchecked Sendable`: its address and length never change after `init`, it is unmapped only in `deinit`, when no
/// reference is left, and this type itself only reads. A borrower that writes owns the range it writes to.
public final class MappedFile: @unchecked Sendable {
    public let path: String
    private let base: UnsafeMutableRawPointer?
    /// Length in bytes.
    public let count: Int

    /// Maps the file at `path`. Throws `.fileSystem` when it cannot be opened or is not a regular file.
    public init(path: String) throws(ConcordError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system("open", path) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system("read the size of", path) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw ConcordError(.fileSystem, "cannot read \(path): it is not a regular file; name a file")
        }
        self.path = path
        count = Int(status.st_size)
        if count == 0 {
            base = nil
        } else {
            let address = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, descriptor, 0)
            guard let address, address != MAP_FAILED else { throw .system("map", path) }
            base = address
        }
    }

    deinit {
        if let base { munmap(base, count) }
    }

    /// The bytes of the whole file. Valid only inside the closure.
    public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        defer { withExtendedLifetime(self) {} }
        return try body(UnsafeRawBufferPointer(start: base, count: count))
    }
}
