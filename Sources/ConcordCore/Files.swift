extension ConcordError {
    /// An error from `errno`, naming what was tried on which path.
    package static func system(_ action: String, _ path: String) -> ConcordError {
        let number = errno
        let advice =
            switch number {
            case ENOENT where path.isURL: "this is a URL, and only files are read; download it and name the file"
            case ENOENT: "check the path"
            case EACCES, EPERM: "check the permissions"
            case ENOSPC, EDQUOT: "free some disk space and run again; the previous version is untouched"
            default: "check the disk and the path"
            }
        return ConcordError(.fileSystem, "cannot \(action) \(path): \(String(cString: strerror(number))); \(advice)")
    }
}

/// Reading whole files, and replacing them so that a crash or a full disk never loses the previous version.
public enum Files {
    /// The bytes of a file. Throws `.fileSystem`, also when the file is longer than `limit` bytes.
    public static func read(_ path: String, limit: Int = .max) throws(ConcordError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system("open", path) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system("read", path) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw ConcordError(.fileSystem, "cannot read \(path): it is not a regular file; name a file")
        }
        guard status.st_size <= limit else {
            throw ConcordError(.fileSystem, "\(path) has \(status.st_size) bytes, more than the \(limit) allowed")
        }
        let size = Int(status.st_size)
        var failed = false
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, filled in
            while filled < size {
                let got = ConcordCore.read(descriptor, buffer.baseAddress.map { $0 + filled }, size - filled)
                if got < 0 && errno == EINTR { continue }
                failed = got < 0
                if got <= 0 { break }
                filled += got
            }
        }
        guard !failed else { throw .system("read", path) }
        guard bytes.count == size else {
            throw ConcordError(
                .fileSystem,
                "\(path) was cut short while it was read: \(bytes.count) of \(size) bytes; run again when it is complete"
            )
        }
        return bytes
    }

    /// Replaces the file at `path` with what `body` writes: a temporary file beside it, fsync, rename.
    ///
    /// Until the rename the old file stands untouched; on any error the temporary file is removed.
    package static func replace(
        _ path: String, _ body: (borrowing FileWriter) throws -> Void
    ) throws {
        let temporary = path + ".tmp-\(getpid())"
        do {
            try FileWriter.write(temporary, body)
            guard rename(temporary, path) == 0 else { throw ConcordError.system("rename \(temporary) to", path) }
            try synchronizeFolder(parent(of: path))
        } catch {
            unlink(temporary)
            throw error
        }
    }

    /// Replaces the file at `path` with `bytes`, atomically.
    public static func replace(_ path: String, with bytes: [UInt8]) throws {
        try replace(path) { writer in try writer.write(bytes) }
    }

    /// Replaces the file at `path` with `text` as UTF-8, atomically.
    public static func replace(_ path: String, with text: String) throws {
        try replace(path, with: [UInt8](text.utf8))
    }

    /// Makes a folder and those above it, if they are not there.
    package static func makeFolder(_ path: String) throws(ConcordError) {
        if mkdir(path, 0o777) == 0 { return }
        var number = errno
        let parent = parent(of: path)
        if number == ENOENT, !path.isEmpty, parent != path {
            try makeFolder(parent)
            number = mkdir(path, 0o777) == 0 ? 0 : errno
        }
        // It may be there already, of which not every file system says EEXIST.
        guard number != 0, !isFolder(path) else { return }
        errno = number
        throw .system("make the folder", path)
    }

    /// Flushes a folder's entries to disk, so that a rename in it survives a power cut.
    package static func synchronizeFolder(_ path: String) throws(ConcordError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system("open the folder", path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .system("flush the folder", path) }
    }

    public static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Throws `.fileSystem` where no file can be written: to be asked before long work whose result goes there.
    package static func checkIsWritable(_ path: String) throws(ConcordError) {
        guard !isFolder(path) else {
            throw ConcordError(.fileSystem, "cannot write \(path): it is a folder; name a file")
        }
        let folder = parent(of: path)
        guard exists(folder) else {
            throw ConcordError(
                .fileSystem, "cannot write \(path): there is no folder \(folder); make it, or name another place")
        }
        guard isFolder(folder) else {
            throw ConcordError(.fileSystem, "cannot write \(path): \(folder) is not a folder; name another place")
        }
        guard access(folder, W_OK | X_OK) == 0 else { throw .system("write", path) }
    }

    /// The bytes of a regular file, or of the one that a link leads to; nil where there is none.
    package static func size(_ path: String) -> Int? {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return Int(status.st_size)
    }

    /// Whether a path, or what it leads to, is a folder.
    package static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// A file below `/proc` or `/sys`, which says that its length is 0; empty where there is none.
    package static func systemText(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes: [UInt8] = [], part = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = ConcordCore.read(descriptor, &part, part.count)
            if count < 0 && errno == EINTR { continue }
            if count <= 0 { break }
            bytes += part[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The folder that holds `path` (`.` for a bare name).
    package static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}

extension String {
    /// Whether the text begins as a URL does: `https://`, `s3://`.
    package var isURL: Bool {
        guard let colon = utf8.firstIndex(of: UInt8(ascii: ":")), utf8[colon...].starts(with: "://".utf8) else {
            return false
        }
        let scheme = utf8[..<colon]
        return scheme.count > 1
            && scheme.allSatisfy {
                (0x61...0x7A).contains($0 | 0x20) || (0x30...0x39).contains($0) || "+-.".utf8.contains($0)
            }
    }
}

/// A file's identity, size and time of change: as long as they stay, so does the content.
package struct FileStamp: Sendable, Hashable {
    private let device, file: UInt64
    private let byteCount, seconds, nanoseconds: Int

    /// The stamp of a file, or of the one that a link leads to. Throws `.fileSystem`.
    package init(path: String) throws(ConcordError) {
        var status = stat()
        guard stat(path, &status) == 0 else { throw .system("read the times of", path) }
        self.init(status)
    }

    init(_ status: stat) {
        #if canImport(Darwin)
            let changed = status.st_mtimespec
        #else
            let changed = status.st_mtim
        #endif
        device = UInt64(truncatingIfNeeded: status.st_dev)
        file = UInt64(status.st_ino)
        byteCount = Int(status.st_size)
        (seconds, nanoseconds) = (Int(changed.tv_sec), Int(changed.tv_nsec))
    }
}
