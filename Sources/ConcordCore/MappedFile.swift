import Foundation

/// A file mapped read-only into memory: no second copy, pages come in as they are touched.
///
/// `@unchecked Sendable`: the mapping is private and read-only, its address and length never change after `init`,
/// and it is unmapped only in `deinit`, when no reference is left.
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
            let address = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0)
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
