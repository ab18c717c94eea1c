import ConcordCheckpoint
import ConcordCore
import Foundation

/// A file that grows piece by piece beside its place and is moved there when it is whole, so that work that was stopped
/// goes on.
///
/// Until then the pieces are in `<path>.partial`, beside `<path>.partial.json`, which says what they are made with: pieces
/// of other settings are never added to.
struct ResumableOutput {
    let path: String
    /// The settings that the pieces depend on.
    private let settings: JSONValue

    var partial: String { path + ".partial" }
    private var state: String { path + ".partial.json" }

    /// - Parameter startsOver: whether the beginning of another output may be thrown away.
    /// - Throws: `.fileSystem`; `.invalidConfiguration` for the beginning of another output, with what differs.
    init(_ path: String, settings: JSONValue, startsOver: Bool) throws(ConcordError) {
        self.path = path
        self.settings = settings
        try Files.checkIsWritable(path)
        if startsOver { for path in [partial, state] { try Self.remove(path) } }
        guard Files.exists(state) else { return }
        let saved = try JSONValue(contentsOf: state)
        guard saved != settings else { return }
        let names = (settings.members ?? []).filter { saved[$0.name] != $0.value }.map(\.name)
        throw ConcordError(
            .invalidConfiguration,
            "\(partial) was started with other settings (\(names.joined(separator: ", "))); use the same settings, name another "
                + "--output, or start over with --force")
    }

    /// The hashes of the weights in a model folder, for settings: what tells models apart.
    static func weightHashes(_ folder: String) throws(ConcordError) -> JSONValue {
        let files = try CheckpointReader(path: ModelFolder(folder).weights).files
        var hashes: [JSONValue] = []
        for file in files { hashes.append(.string(try FileHash(.xxh128, ofFile: file.file.path).hexadecimal)) }
        return .array(hashes)
    }

    /// Opens the file of pieces, with what an earlier run has left in it.
    ///
    /// - Throws: `.fileSystem`; `.invalidConfiguration` while another process writes it.
    func open() throws -> AppendFile {
        // The settings first: pieces without them would belong to nobody.
        if !Files.exists(state) {
            try Self.remove(partial)
            try Files.replace(state, with: settings.text(pretty: true) + "\n")
        }
        let file = try AppendFile(path: partial, isNew: false)
        try file.lock()
        return file
    }

    /// Moves the file to its place. Throws `.fileSystem`.
    func finish(_ file: AppendFile) throws(ConcordError) {
        try file.synchronize()
        guard rename(partial, path) == 0 else { throw .system("rename \(partial) to", path) }
        try Files.synchronizeFolder(Files.parent(of: path))
        _ = unlink(state)
    }

    /// Removes a file if it is there. Throws `.fileSystem`.
    static func remove(_ path: String) throws(ConcordError) {
        guard unlink(path) == 0 || errno == ENOENT else { throw .system("remove", path) }
    }
}

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
                .invalidConfiguration, "another process is writing \(path); wait for it, or name another output")
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
