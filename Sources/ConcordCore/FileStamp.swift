import ConcordPlatform

/// What a file system says of a file and its content: where one stamp is another than before, so is the content.
public struct FileStamp: Sendable, Hashable {
    private let device, file: UInt64
    private let byteCount, seconds, nanoseconds: Int

    /// The stamp of a file, or of the one that a link leads to. Throws `.fileSystem`.
    public init(path: String) throws(ConcordError) {
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
