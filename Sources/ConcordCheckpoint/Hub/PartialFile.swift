import ConcordCore

/// A file that is being downloaded, `….incomplete` until all of it is there; a later run goes on with it.
final class PartialFile: HTTPBody {
    let path: String
    private let file: HubFile
    private let descriptor: Int32
    private let progress: (Int) -> Void
    /// How many bytes are there.
    private(set) var length = 0
    /// Whether the next bytes are the first of an answer.
    private var isAtStart = true

    /// Opens the file or begins a new one.
    ///
    /// - Parameter progress: called with the length when it changes.
    /// - Throws: `.fileSystem`.
    init(path: String, file: HubFile, progress: @escaping (Int) -> Void) throws(ConcordError) {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw .system("create", path) }
        self.path = path
        self.file = file
        self.progress = progress
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system("read", path) }
        length = Int(status.st_size)
        if length > file.size { try startOver() }
        guard lseek(descriptor, 0, SEEK_END) >= 0 else { throw .system("read", path) }
    }

    deinit { close(descriptor) }

    var isComplete: Bool { length == file.size }

    /// Forgets what is there.
    func startOver() throws(ConcordError) {
        guard ftruncate(descriptor, 0) == 0, lseek(descriptor, 0, SEEK_SET) == 0 else { throw .system("empty", path) }
        length = 0
        progress(length)
    }

    /// What the request for the rest must say.
    func rangeHeaders() -> [String] {
        isAtStart = true
        return length > 0 ? ["Range: bytes=\(length)-"] : []
    }

    func receive(_ bytes: UnsafeRawBufferPointer, of response: HTTPResponse) throws(ConcordError) {
        if isAtStart { try begin(response) }
        isAtStart = false
        guard length + bytes.count <= file.size else {
            unlink(path)
            throw ConcordError(
                .invalidDownload,
                "\(file.path): the server sends more than the \(file.size) bytes announced; it was removed, run again")
        }
        var offset = 0
        while offset < bytes.count {
            let written = write(descriptor, bytes.baseAddress.map { $0 + offset }, bytes.count - offset)
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else { throw .system("write", path) }
            offset += written
            length += written
        }
        progress(length)
    }

    /// Checks that the answer goes on where the file ends.
    private func begin(_ response: HTTPResponse) throws(ConcordError) {
        func refusal(_ what: String) -> ConcordError {
            ConcordError(
                .invalidDownload, "\(file.path): \(what.printable) from \(response.address.publicText); run again")
        }
        guard response.isPlain else { throw refusal("came in a coding nobody asked for") }
        if response.status == 206 {
            let range = response["content-range"] ?? "none"
            let wanted = "bytes \(length)-\(file.size - 1)/"
            guard [wanted + "\(file.size)", wanted + "*"].contains(range) else {
                throw refusal("came with the range `\(range)` where `\(wanted)\(file.size)` was wanted")
            }
        } else if length > 0 {
            // The server sends the whole file, as it may.
            try startOver()
        }
        if let rest = response.contentLength, length + rest != file.size {
            throw refusal("comes with \(length + rest) bytes where \(file.size) were announced")
        }
    }

    /// Checks the hash, flushes to disk and gives the file its final name.
    ///
    /// - Throws: `.invalidDownload` for another hash than announced, after the file is removed; `.fileSystem`.
    func finish(as final: String) throws(ConcordError) {
        let found = try FileHash(file.hash.algorithm, ofFile: path)
        guard found == file.hash else {
            unlink(path)
            throw ConcordError(
                .invalidDownload,
                "\(file.path) has the \(found) where \(file.hash.hexadecimal) was announced; it was removed, run again")
        }
        guard fsync(descriptor) == 0 else { throw .system("flush", path) }
        guard rename(path, final) == 0 else { throw .system("rename \(path) to", final) }
        try Files.synchronizeFolder(Files.parent(of: final))
    }
}
