import ConcordCore
import Foundation

/// A file that grows: each append is one `write`, so that a killed process leaves whole records but for the last.
package final class AppendFile {
    package let path: String
    private let descriptor: Int32

    /// Opens `path` to append to; with `isNew`, only if no such file is there. Throws `.fileSystem`.
    package init(path: String, isNew: Bool) throws(ConcordError) {
        let flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (isNew ? O_EXCL : 0)
        descriptor = open(path, flags, 0o644)
        guard descriptor >= 0 else { throw .system("create", path) }
        self.path = path
    }

    deinit { close(descriptor) }

    /// Appends bytes; the system has them when it returns. Throws `.fileSystem`.
    package func append(_ bytes: [UInt8]) throws(ConcordError) {
        var offset = 0
        while offset < bytes.count {
            let written = bytes[offset...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else { throw .system("write", path) }
            offset += written
        }
    }

    /// Keeps other processes from locking the file, until this object goes.
    ///
    /// - Throws: `.invalidConfiguration` when another one has locked it.
    package func lock() throws(ConcordError) {
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw ConcordError(
                .invalidConfiguration, "another process writes \(path); wait for it, or name another output")
        }
    }

    /// Cuts the file off after `length` bytes. Throws `.fileSystem`.
    package func shorten(to length: Int) throws(ConcordError) {
        guard ftruncate(descriptor, off_t(length)) == 0 else { throw .system("shorten", path) }
    }

    /// Waits until all is on the disk. Throws `.fileSystem`.
    package func synchronize() throws(ConcordError) {
        guard fsync(descriptor) == 0 else { throw .system("write", path) }
    }
}
