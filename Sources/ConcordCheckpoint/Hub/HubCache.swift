import ConcordCore

/// Hugging Face's cache of downloaded models, laid out as huggingface_hub's `file_download.py` does:
/// `models--owner--name` with `blobs/<hash>`, `refs/<revision>` and `snapshots/<commit>/<path>`, links to blobs.
package struct HubCache: Sendable {
    /// The folder of all models.
    package let folder: String

    package init(folder: String) { self.folder = folder }

    /// The folder of one repository, all revisions.
    package func repositoryFolder(_ repository: HubRepository) -> String { "\(folder)/\(repository.cacheName)" }

    /// The commit that the repository's revision had when it was last downloaded; nil when it never was.
    package func commit(of repository: HubRepository) -> String? {
        let folder = repositoryFolder(repository)
        let revision = repository.revision
        if let bytes = try? Files.read("\(folder)/refs/\(revision)", limit: 1 << 10) {
            let commit = String(decoding: bytes, as: UTF8.self).trimmed
            return HubRepository.isCommit(commit) ? commit : nil
        }
        return HubRepository.isCommit(revision) && Files.exists("\(folder)/snapshots/\(revision)") ? revision : nil
    }

    /// The folder with the files of the repository's revision.
    ///
    /// - Throws: `.unavailable`, with the command that downloads it, when it is not in the cache or not whole.
    package func snapshot(of repository: HubRepository) throws(ConcordError) -> HubSnapshot {
        let revision = repository.revision == HubRepository.defaultRevision ? "" : " --revision \(repository.revision)"
        let command = "concord pull \(repository.identifier)\(revision)"
        guard let commit = commit(of: repository) else {
            throw ConcordError(
                .unavailable, "\(repository) is not in the cache \(folder); download it with: \(command)")
        }
        let path = "\(repositoryFolder(repository))/snapshots/\(commit)"
        let (files, broken) = try Self.files(below: path)
        let missing = try broken + Self.missing(from: files, in: path).filter { !broken.contains($0) }
        guard missing.isEmpty else {
            throw ConcordError(
                .unavailable,
                "\(repository) is not whole in the cache \(folder): \(missing.joined(separator: ", ")) "
                    + "\(missing.count == 1 ? "is" : "are") missing; complete it with: \(command)")
        }
        var byteCount = 0
        for file in files { byteCount += Files.size(path + "/" + file) ?? 0 }
        return HubSnapshot(path: path, commit: commit, files: files, byteCount: byteCount)
    }

    /// The paths of all files below a folder, and of all links that lead nowhere. Throws `.fileSystem` for a folder that
    /// cannot be read.
    private static func files(below folder: String) throws(ConcordError) -> (present: [String], broken: [String]) {
        var present = [String](), broken = [String]()
        guard Files.exists(folder) else { return ([], []) }
        let paths: [String]
        do { paths = try FileManager.default.subpathsOfDirectory(atPath: folder) } catch {
            throw ConcordError(.fileSystem, "cannot list the folder \(folder): \(error); check the permissions")
        }
        for path in paths {
            var status = stat()
            if stat(folder + "/" + path, &status) != 0 {
                broken.append(path)
            } else if status.st_mode & S_IFMT == S_IFREG {
                present.append(path)
            }
        }
        return (present.sorted(), broken.sorted())
    }

    /// The files that a model needs and that are missing.
    private static func missing(from files: [String], in folder: String) throws(ConcordError) -> [String] {
        let names = ModelFileNames(files), present = Set(files)
        var missing = names.hasConfiguration ? [] : ["config.json"]
        var hasWeights = false
        for part in names.folderNames {
            switch names.weights(in: part) {
            case .file: hasWeights = true
            case .index(let path):
                hasWeights = true
                missing += try shards(ofIndex: path, in: folder).filter { !present.contains($0) }
            // A pickle is refused by who loads it, with the way to convert it.
            case nil: hasWeights = hasWeights || !names.pickles(in: part).isEmpty
            }
        }
        return missing + (hasWeights ? [] : [CheckpointReader.fileName])
    }

    /// The paths of the files that an index of weights lists, within the same folder as its own path.
    static func shards(ofIndex path: String, in folder: String) throws(ConcordError) -> [String] {
        try ShardIndex(path: folder + "/" + path).files.map { String($0.dropFirst(folder.count + 1)) }
    }
}

/// An exclusive lock on a blob while it is written, by the lock file that huggingface_hub uses, too.
///
/// The system releases it if the process dies. The file stays: removing it would split those who wait.
final class HubLock {
    private let descriptor: Int32

    /// Waits for the lock.
    ///
    /// - Parameter waiting: called once if another one has it.
    /// - Throws: `.fileSystem`.
    init(_ path: String, waiting: () -> Void) throws(ConcordError) {
        try Files.makeFolder(Files.parent(of: path))
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw .system("create", path) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) != 0 else { return }
        if errno == EWOULDBLOCK { waiting() }
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else {
                let error = ConcordError.system("lock", path)
                close(descriptor)
                throw error
            }
        }
    }

    deinit { close(descriptor) }
}

/// A file that is being downloaded, `….incomplete` until all of it is there; a later run goes on with it.
final class PartialFile: HTTPBody {
    let path: String
    private let file: HubFile
    private let descriptor: Int32
    private let progress: (Int) -> Void
    /// The number of bytes that are there.
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

    /// Discards what is there.
    func startOver() throws(ConcordError) {
        guard ftruncate(descriptor, 0) == 0, lseek(descriptor, 0, SEEK_SET) == 0 else { throw .system("empty", path) }
        length = 0
        progress(length)
    }

    /// Headers of the request for the rest.
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
                .invalidDownload, "\(file.path): \(what.printable) from \(response.url.publicText); run again")
        }
        guard response.isPlain else { throw refusal("came in an encoding that was not asked for") }
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
