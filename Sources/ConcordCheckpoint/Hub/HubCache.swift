import ConcordCore

/// Hugging Face's cache of downloaded models, laid out as huggingface_hub's `file_download.py` does:
/// `models--owner--name` with `blobs/<hash>`, `refs/<revision>` and `snapshots/<commit>/<path>`, links to blobs.
public struct HubCache: Sendable {
    /// The folder of all models.
    public let folder: String

    public init(folder: String) { self.folder = folder }

    /// The folder of one repository, all revisions.
    public func repositoryFolder(_ repository: HubRepository) -> String { "\(folder)/\(repository.cacheName)" }

    /// The commit that the repository's revision had when it was last downloaded; nil when it never was.
    public func commit(of repository: HubRepository) -> String? {
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
    public func snapshot(of repository: HubRepository) throws(ConcordError) -> HubSnapshot {
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

    /// What a model needs and the files lack.
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
