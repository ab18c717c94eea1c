import ConcordCheckpoint
import ConcordCore
import ConcordRuntime
import Foundation

/// A folder that is made beside its place and moved there when it is complete.
struct ExportFolder {
    /// Where files go until then.
    let path: String
    private let target: String
    private let replaces: Bool

    /// Makes the folder.
    ///
    /// - Parameters:
    ///   - source: the folder of the model, which must not be the target.
    ///   - replaces: whether an export at the target may be replaced; nothing else ever is.
    /// - Throws: `.fileSystem`.
    init(_ output: String, source: String, replaces: Bool) throws(ConcordError) {
        func resolved(_ path: String) -> String {
            URL(fileURLWithPath: path).standardizedFileURL.resolvingSymlinksInPath().path
        }
        target = resolved(output)
        self.replaces = replaces
        guard target != resolved(source) else {
            throw ConcordError(.fileSystem, "\(output) is the model itself; name another output folder")
        }
        if Files.exists(target), !Self.isEmptyFolder(target) {
            guard replaces else {
                throw ConcordError(
                    .fileSystem, "\(output) is there already; name another folder, or replace an export with --force")
            }
            guard Self.isExport(target) else {
                throw ConcordError(
                    .fileSystem, "\(output) is no export, and is not replaced; remove it, or name another folder")
            }
        }
        path = target + ".tmp-\(getpid())"
        try? FileManager.default.removeItem(atPath: path)
        try Files.makeFolder(path)
    }

    private static func isEmptyFolder(_ path: String) -> Bool {
        (try? FileManager.default.contentsOfDirectory(atPath: path))?.isEmpty ?? false
    }

    /// Whether a folder has the report that every export has.
    private static func isExport(_ path: String) -> Bool {
        let report = path + "/" + ArtifactExport.reportName
        guard let bytes = try? Files.read(report, limit: 1 << 24),
            let json = try? JSONValue(parsing: bytes, source: report)
        else { return false }
        return json["tool"]?.string?.hasPrefix("concord") == true && json["parity"] != nil
    }

    /// The bytes of every file, by its path within the folder. Throws `.fileSystem`.
    func files() throws(ConcordError) -> [String: Int] {
        guard let names = try? FileManager.default.subpathsOfDirectory(atPath: path) else {
            throw .system("list", path)
        }
        var files: [String: Int] = [:]
        for name in names {
            var status = stat()
            guard stat(path + "/" + name, &status) == 0 else { throw .system("read", path + "/" + name) }
            if status.st_mode & S_IFMT == S_IFREG { files[name] = Int(status.st_size) }
        }
        return files
    }

    /// Hashes in hexadecimal of the files that lie in the folder itself, by name.
    func hashes(_ algorithm: FileHash.Algorithm) throws(ConcordError) -> [String: String] {
        var hashes: [String: String] = [:]
        for name in try files().keys where !name.contains("/") && name != ArtifactManifest.fileName {
            hashes[name] = try FileHash(algorithm, ofFile: path + "/" + name).hexadecimal
        }
        return hashes
    }

    /// Puts the folder at its place. Throws `.fileSystem`; then the target is as it was.
    func moveIntoPlace() throws(ConcordError) {
        func move(_ source: String, _ target: String) throws(ConcordError) {
            guard rename(source, target) == 0 else { throw .system("rename \(source) to", target) }
        }
        guard Files.exists(target), !Self.isEmptyFolder(target) else {
            // An empty folder gives way.
            return try move(path, target)
        }
        // What came there in the meantime is somebody else's.
        guard replaces, Self.isExport(target) else {
            throw ConcordError(
                .fileSystem, "\(target) has come to be while the model was exported; name another folder")
        }
        let old = target + ".old-\(getpid())"
        try move(target, old)
        do throws(ConcordError) { try move(path, target) } catch {
            try? move(old, target)
            throw error
        }
        try? FileManager.default.removeItem(atPath: old)
    }

    /// Removes what is in the folder. Throws `.fileSystem`.
    func removeAll() throws(ConcordError) {
        try? FileManager.default.removeItem(atPath: path)
        guard !Files.exists(path) else { throw .system("remove", path) }
        try Files.makeFolder(path)
    }

    /// Removes what has not been moved.
    func discard() { try? FileManager.default.removeItem(atPath: path) }
}
