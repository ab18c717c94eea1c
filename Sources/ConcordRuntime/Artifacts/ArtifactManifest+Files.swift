import ConcordCheckpoint
import ConcordCore
import ConcordPlatform

extension ArtifactManifest {
    /// Throws `.invalidCheckpoint` for a file of the manifest that is missing, is no regular file, or is a link to a
    /// place outside the folder.
    func checkPlaces(folder: String) throws(ConcordError) {
        guard let root = Self.resolved(folder) else { throw .system("open the folder", folder) }
        for name in Set(hashes.keys).union(graphs.values).union(report.map { [$0] } ?? []).sorted() {
            let path = folder + "/" + name
            guard let place = Self.resolved(path) else {
                throw ConcordError(
                    .invalidCheckpoint, "\(path), which \(Self.fileName) names, is missing; export the model again")
            }
            guard Files.parent(of: place) == root else {
                throw ConcordError(
                    .invalidCheckpoint,
                    "\(path) is a link to a place outside its folder; put the file itself there")
            }
            var status = stat()
            guard stat(place, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
                throw ConcordError(.invalidCheckpoint, "\(path) is not a regular file; export the model again")
            }
        }
    }

    /// Compares every file of a folder with its checksum, or with its hash where the manifest has no checksums.
    ///
    /// Throws `.invalidCheckpoint` for the first that is another, and `.fileSystem`.
    public func verifyHashes(folder: String) throws(ConcordError) {
        for (name, expected) in hashes.sorted(by: { $0.key < $1.key }) {
            let path = folder + "/" + name
            let expected = checksums[name] ?? expected
            let found = try FileHash(checksums[name] == nil ? .sha256 : .xxh128, ofFile: path)
            guard found.hexadecimal == expected else {
                if let name = ForeignContent.name(ofFile: path) {
                    throw ConcordError(.invalidCheckpoint, "\(path) \(name)")
                }
                throw ConcordError(
                    .invalidCheckpoint,
                    "\(path) has the \(found), but \(Self.fileName) was written for \(expected); copy the "
                        + "folder again, or export the model again")
            }
        }
    }

    /// The stamps of all files of a folder, of which a manifest names all but itself. Throws `.fileSystem`.
    func stamps(folder: String, manifest: FileStamp) throws(ConcordError) -> [String: FileStamp] {
        var stamps = [Self.fileName: manifest]
        for name in hashes.keys { stamps[name] = try FileStamp(path: folder + "/" + name) }
        return stamps
    }

    /// The stamps of a folder's files as they are now. Throws as ``init(folder:)``, and `.fileSystem`.
    package static func stamps(folder: String) throws(ConcordError) -> [String: FileStamp] {
        // Before the manifest is read: whoever changes it meanwhile is noticed the next time.
        let stamp = try FileStamp(path: folder + "/" + fileName)
        return try ArtifactManifest(folder: folder).stamps(folder: folder, manifest: stamp)
    }

    /// A path without links; nil where there is nothing.
    private static func resolved(_ path: String) -> String? {
        guard let text = realpath(path, nil) else { return nil }
        defer { free(text) }
        return String(cString: text)
    }
}
