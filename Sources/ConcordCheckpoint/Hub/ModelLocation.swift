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
            throw ConcordError(
                .fileSystem,
                "there is no folder \(argument.printable); name a model folder, or OWNER/NAME of a model hub")
        }
        let cacheFolder = if let settings { settings.cacheFolder } else { try HubSettings().cacheFolder }
        do throws(ConcordError) {
            return try HubCache(folder: cacheFolder).snapshot(of: repository).path
        } catch {
            throw ConcordError(error.code, "there is no folder \(argument), and \(error.message)")
        }
    }
}
