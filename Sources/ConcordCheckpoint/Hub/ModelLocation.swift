import ConcordCore

/// What a user may give as a model.
public enum ModelLocation {
    /// The folder that is meant: a path that exists, or `owner/name` or `owner/name@revision` of the cache.
    ///
    /// - Parameter settings: where the cache is; by default where the environment says.
    /// - Throws: `.unavailable`, with the command that downloads the model, when it is neither.
    public static func folder(_ argument: String, settings: HubSettings? = nil) throws(ConcordError) -> String {
        if Files.exists(argument) { return argument }
        let repository: HubRepository
        do {
            repository = try HubRepository(parsing: argument)
        } catch {
            throw missingFolder(argument)
                ?? ConcordError(
                    .fileSystem,
                    "there is no folder \(argument.printable); name a model folder, or OWNER/NAME of a model hub")
        }
        let cacheFolder = if let settings { settings.cacheFolder } else { try HubSettings().cacheFolder }
        do throws(ConcordError) {
            return try HubCache(folder: cacheFolder).snapshot(of: repository).path
        } catch {
            if let missing = missingFolder(argument) {
                throw ConcordError(missing.code, "\(missing.message). As the name of a hub's model: \(error.message)")
            }
            throw ConcordError(error.code, "there is no folder \(argument), and \(error.message)")
        }
    }

    /// The error for an argument that is a path to a folder that is not there, told by the folder around it; nil where
    /// it may be a name on a hub.
    public static func missingFolder(_ argument: String) -> ConcordError? {
        let parent = Files.parent(of: argument)
        guard parent != ".", !Files.exists(argument), Files.isFolder(parent),
            let entries = try? FileManager.default.contentsOfDirectory(atPath: parent)
        else { return nil }
        let folders = entries.filter { Files.isFolder(parent + "/" + $0) && $0.utf8.first != UInt8(ascii: ".") }
            .sorted()
        let name = String(argument.split(separator: "/").last ?? "")
        let nearest = NearestName.suggestion(for: name, among: folders).map { "; did you mean \(parent)/\($0)?" }
        let shown = folders.prefix(10).joined(separator: ", ") + (folders.count > 10 ? ", …" : "")
        return ConcordError(
            .fileSystem,
            "there is no folder \(argument)"
                + (nearest ?? (folders.isEmpty ? "; \(parent) has no folder in it" : "; \(parent) has \(shown)")))
    }
}
