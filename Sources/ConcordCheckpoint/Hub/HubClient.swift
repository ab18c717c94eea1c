import ConcordCore

/// Downloads models from a hub that speaks Hugging Face's protocol into Hugging Face's cache.
public struct HubClient: Sendable {
    public let settings: HubSettings
    /// The name of the program in requests: `name/version`.
    package let userAgent: String

    public init(settings: HubSettings, userAgent: String = "concord") {
        self.settings = settings
        self.userAgent = userAgent
    }

    /// Downloads what is missing of a model, and returns the folder that stands for it. Blocks the calling thread.
    ///
    /// Every file is checked against the length and the hash that the hub announced before it gets its name in the
    /// cache. If it is stopped, the next call resumes where it was. When all files are there, only the
    /// list of files is requested; offline, nothing is.
    ///
    /// - Parameter progress: called as bytes come in; not at all when there is nothing to download.
    /// - Throws: `.hub` (no answer, a refusal, nothing that fits), `.interruptedDownload`, `.invalidDownload`,
    ///   `.fileSystem`, `.invalidConfiguration` (address or token), or `.unavailable` when offline and not in the cache.
    public func pull(
        _ repository: HubRepository, selection: HubSelection = HubSelection(),
        progress: @escaping (HubProgress) -> Void = { _ in }
    ) throws(ConcordError) -> HubSnapshot {
        if settings.isOffline { return try cached(repository, selection) }
        let pull = try HubPull(repository, settings: settings, userAgent: userAgent, progress: progress)
        return try pull.run(selection)
    }

    private func cached(_ repository: HubRepository, _ selection: HubSelection) throws(ConcordError) -> HubSnapshot {
        let snapshot = try HubCache(folder: settings.cacheFolder).snapshot(of: repository)
        guard !selection.isEverything else {
            throw ConcordError(
                .unavailable,
                "offline there is no telling whether all files of \(repository) are in the cache; unset HF_HUB_OFFLINE, "
                    + "or leave out --all")
        }
        for pattern in selection.patterns where !snapshot.files.contains(where: NamePattern(pattern).matches) {
            throw ConcordError(
                .unavailable,
                "no file of \(repository) in the cache fits `\(pattern.printable)`; unset HF_HUB_OFFLINE to download it"
            )
        }
        return snapshot
    }
}

/// The files of one commit in the cache.
public struct HubSnapshot: Sendable, Hashable {
    /// The folder that stands for the model.
    public let path: String
    public let commit: String
    /// Paths within the folder.
    public let files: [String]
    /// The length of all files together.
    public let byteCount: Int

    package var json: JSONValue {
        [
            "path": .string(path), "commit": .string(commit), "files": .array(files.map(JSONValue.string)),
            "bytes": .integer(byteCount),
        ]
    }
}

/// The progress of a download.
public struct HubProgress: Sendable, Hashable {
    /// The file that is being downloaded.
    public let file: String
    /// Bytes of all files that are there.
    public let done: Int
    /// Bytes of all files.
    public let total: Int
    /// Bytes that were there at the start.
    package let doneBefore: Int
    /// Whether another process downloads the file, and this one waits for it.
    package let isWaiting: Bool
}
