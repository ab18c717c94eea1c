/// An open file that is being written; every short write and every error of the disk is noticed.
package struct FileWriter: ~Copyable {
    private let path: String
    private let descriptor: Int32

    /// Opens `path` anew, lets `body` write, flushes to disk and closes. Throws `.fileSystem`.
    static func write(_ path: String, _ body: (borrowing FileWriter) throws -> Void) throws {
        let writer = try FileWriter(path: path)
        try body(writer)
        guard fsync(writer.descriptor) == 0 else { throw ConcordError.system("flush", path) }
    }

    private init(path: String) throws(ConcordError) {
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .system("create", path) }
        self.path = path
    }

    deinit { close(descriptor) }

    /// Appends bytes.
    package func write(_ bytes: UnsafeRawBufferPointer) throws(ConcordError) {
        var offset = 0
        while offset < bytes.count {
            let written = ConcordCore.write(descriptor, bytes.baseAddress.map { $0 + offset }, bytes.count - offset)
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else { throw .system("write", path) }
            offset += written
        }
    }

    /// Appends bytes.
    package func write(_ bytes: [UInt8]) throws(ConcordError) {
        // `withUnsafeBytes` rethrows untyped, so the error is carried out by hand.
        let failure: ConcordError? = bytes.withUnsafeBytes { buffer in
            do throws(ConcordError) { try write(buffer) } catch { return error }
            return nil
        }
        if let failure { throw failure }
    }
}
