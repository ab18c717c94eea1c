import ConcordCore

/// One download of one repository.
final class HubPull {
    private let repository: HubRepository
    private let endpoint: HubURL
    private let http: HTTPClient
    private let cache: HubCache
    private let hasToken: Bool
    private let progress: (HubProgress) -> Void

    private static let maximumAttempts = 5

    /// Throws `.invalidConfiguration` for an endpoint that is no address.
    init(
        _ repository: HubRepository, settings: HubSettings, userAgent: String,
        progress: @escaping (HubProgress) -> Void
    ) throws(ConcordError) {
        guard let endpoint = HubURL(settings.endpoint), !endpoint.target.contains("?") else {
            throw ConcordError(
                .invalidConfiguration,
                "`\(settings.endpoint.printable)` is no address of a model hub; set HF_ENDPOINT to one such as "
                    + HubSettings.defaultEndpoint)
        }
        self.repository = repository
        self.endpoint = endpoint
        self.progress = progress
        http = try HTTPClient(settings: settings, userAgent: userAgent)
        cache = HubCache(folder: settings.cacheFolder)
        hasToken = settings.token != nil
    }

    func run(_ selection: HubSelection) throws(ConcordError) -> HubSnapshot {
        let listing = try list()
        let choice = try selection.choose(from: listing.entries.map(\.path), of: repository)
        let commit = listing.commit, folder = snapshotFolder(commit)
        try Files.makeFolder(cache.repositoryFolder(repository) + "/blobs")
        try Files.makeFolder(folder)

        var paths = choice.configurations + choice.indexes + choice.weights
        for path in choice.indexes {
            let index = try details(of: path, in: listing)
            try install(index, commit: commit) { _ in }
            paths += try HubCache.shards(ofIndex: path, in: folder)
        }
        var files = [HubFile](), seen = Set<[UInt8]>()
        for path in paths where seen.insert(Array(path.utf8)).inserted {
            files.append(try details(of: path, in: listing))
        }
        try installAll(files, commit: commit)
        try remember(commit)
        return HubSnapshot(
            path: folder, commit: commit, files: files.map(\.path).sorted(),
            byteCount: files.reduce(0) { $0 + $1.size })
    }

    /// Requests the commit and the files of the revision.
    private func list() throws(ConcordError) -> HubListing {
        let url = endpoint.appending(
            "api", "models", repository.owner, repository.name, "revision", repository.revision, query: "?blobs=true")
        let body = HTTPBytes(limit: HubListing.maximumBytes)
        let response = try http.send(.get, url, into: body)
        guard response.isSuccess else { throw refusal(response, file: nil) }
        let source = response.url.publicText
        let json: JSONValue
        do {
            json = try JSONValue(parsing: body.bytes, source: source)
        } catch {
            throw ConcordError(
                .invalidDownload,
                "\(error.message); check that HF_ENDPOINT names a model hub, and that no proxy answers")
        }
        return try HubListing(json, source: source)
    }

    /// Size and hash of a file: from the list, or by a request where the list has none.
    private func details(of path: String, in listing: HubListing) throws(ConcordError) -> HubFile {
        guard let entry = listing[path] else {
            throw ConcordError(
                .invalidDownload, "\(repository) has no file \(path.printable), which its index of weights lists")
        }
        if let details = entry.details { return details }
        let response = try http.send(
            .head, url(of: path, commit: listing.commit), staysOnHost: true, into: HTTPBytes(limit: 0))
        guard response.isSuccess || response.isRedirect else { throw refusal(response, file: path) }
        // A redirect to a storage host says in separate headers what waits there.
        let tag = response["x-linked-etag"] ?? response["etag"] ?? ""
        let size = response["x-linked-size"].flatMap { Int($0) } ?? (response.isSuccess ? response.contentLength : nil)
        let plainTag = (tag.hasPrefix("W/") ? String(tag.dropFirst(2)) : tag).filter { $0 != "\"" }
        guard let size, size >= 0, let hash = FileHash(announced: plainTag) else {
            throw ConcordError(
                .invalidDownload,
                "\(response.url.publicText) says neither length nor hash of \(path), so that a download could not be "
                    + "checked; check that HF_ENDPOINT names a model hub")
        }
        return HubFile(path: path, size: size, hash: hash)
    }

    private func url(of path: String, commit: String) -> HubURL {
        endpoint.appending(repository.owner, repository.name, "resolve", commit).appending(path: path)
    }

    private func snapshotFolder(_ commit: String) -> String {
        "\(cache.repositoryFolder(repository))/snapshots/\(commit)"
    }

    private func blob(_ file: HubFile) -> String {
        "\(cache.repositoryFolder(repository))/blobs/\(file.hash.hexadecimal)"
    }

    private func partial(_ file: HubFile) -> String { blob(file) + ".incomplete" }

    /// Downloads what is missing of the files, with progress over all of them.
    private func installAll(_ files: [HubFile], commit: String) throws(ConcordError) {
        let present = files.map { file in
            Files.size(blob(file)) == file.size ? file.size : min(Files.size(partial(file)) ?? 0, file.size)
        }
        let before = present.reduce(0, +), total = files.reduce(0) { $0 + $1.size }
        var done = before
        for (file, present) in zip(files, present) {
            let doneBefore = done - present
            try install(file, commit: commit) { [progress] length in
                progress(
                    HubProgress(
                        file: file.path, done: doneBefore + (length ?? present), total: total, doneBefore: before,
                        isWaiting: length == nil))
            }
            done = doneBefore + file.size
        }
    }

    /// Puts one file into the cache and a link to it into the snapshot.
    ///
    /// - Parameter progress: called with the file's length so far, or with nil when another process has it.
    private func install(
        _ file: HubFile, commit: String, progress: @escaping (Int?) -> Void
    ) throws(ConcordError) {
        let link = snapshotFolder(commit) + "/" + file.path
        guard Files.size(link) != file.size else { return }
        let name = "\(cache.folder)/.locks/\(repository.cacheName)/\(file.hash.hexadecimal).lock"
        let lock = try HubLock(name) { progress(nil) }
        defer { withExtendedLifetime(lock) {} }
        if Files.size(blob(file)) != file.size {
            let partial = try PartialFile(path: partial(file), file: file, progress: progress)
            try fetch(file, commit: commit, into: partial)
            try partial.finish(as: blob(file))
        }
        let depth = file.path.utf8.count { $0 == UInt8(ascii: "/") }
        try Self.link(String(repeating: "../", count: 2 + depth) + "blobs/" + file.hash.hexadecimal, as: link)
    }

    /// Requests the rest of a file until all of it is there; a connection that breaks is taken up again.
    private func fetch(_ file: HubFile, commit: String, into partial: PartialFile) throws(ConcordError) {
        let url = url(of: file.path, commit: commit)
        var attempts = 1
        while !partial.isComplete {
            let before = partial.length
            do throws(ConcordError) {
                let response = try http.send(.get, url, headers: partial.rangeHeaders(), into: partial)
                if response.status == 416, before > 0 {
                    // The server has less than this; what is here is of another file.
                    try partial.startOver()
                    continue
                }
                guard response.isSuccess else { throw refusal(response, file: file.path) }
                guard partial.isComplete else {
                    throw ConcordError(
                        .interruptedDownload,
                        "\(file.path) ended after \(partial.length) of \(file.size) bytes; run again to go on from there"
                    )
                }
            } catch {
                let isWorthwhile = partial.length > before && attempts < Self.maximumAttempts
                guard error.code == .interruptedDownload, isWorthwhile else { throw error }
                attempts += 1
            }
        }
    }

    /// Makes or replaces a symbolic link.
    private static func link(_ target: String, as path: String) throws(ConcordError) {
        try Files.makeFolder(Files.parent(of: path))
        let temporary = path + ".tmp-\(getpid())"
        unlink(temporary)
        guard symlink(target, temporary) == 0 else { throw .system("link", path) }
        guard rename(temporary, path) == 0 else {
            let error = ConcordError.system("replace", path)
            unlink(temporary)
            throw error
        }
    }

    /// Notes which commit the revision is at; last, so that where it stands the files do, too.
    private func remember(_ commit: String) throws(ConcordError) {
        guard repository.revision != commit else { return }
        let path = "\(cache.repositoryFolder(repository))/refs/\(repository.revision)"
        // Two pulls in one process would share the temporary file.
        let lock = try HubLock("\(cache.folder)/.locks/\(repository.cacheName)/refs.lock") {}
        defer { withExtendedLifetime(lock) {} }
        guard cache.commit(of: repository) != commit else { return }
        try Files.makeFolder(Files.parent(of: path))
        do {
            try Files.replace(path, with: commit)
        } catch {
            throw error as? ConcordError ?? ConcordError(.fileSystem, "cannot write \(path): \(error)")
        }
    }

    private func refusal(_ response: HTTPResponse, file: String?) -> ConcordError {
        HubError(response: response, repository: repository, file: file, hasToken: hasToken, endpoint: endpoint).error
    }
}

/// A hub's error response, with advice.
struct HubError {
    let response: HTTPResponse
    let repository: HubRepository
    /// Nil for the repository itself.
    let file: String?
    let hasToken: Bool
    let endpoint: HubURL

    var error: ConcordError {
        let subject = file.map { "\($0) of \(repository)" } ?? "\(repository)"
        let said = reason.map { " (\($0))" } ?? ""
        return ConcordError(
            .hub, "\(response.url.publicText) refuses \(subject) with status \(response.status)\(said): \(advice)")
    }

    private var advice: String {
        let page = "\(endpoint.publicText)/\(repository.identifier)"
        switch response.status {
        // Hugging Face answers 401 also for what does not exist, so as not to tell.
        case 401 where !hasToken:
            return "there is no such model, or it is private or gated; check the name, or set HF_TOKEN to a token that "
                + "may read it"
        case 401: return "there is no such model, or the token may not see it; check the name and HF_TOKEN"
        case 403:
            return "the model is gated or the token lacks the right to read it; ask for access at \(page)"
                + (hasToken ? "" : ", and set HF_TOKEN")
        case 404:
            switch response["x-error-code"] {
            case "RevisionNotFound": return "there is no revision `\(repository.revision)`; see \(page)"
            case "EntryNotFound": return "there is no such file; see \(page)"
            default: return "there is no such model or revision; check the name at \(page)"
            }
        case 429:
            let wait = response["retry-after"].flatMap { Int($0) }.map { "in \($0) s" } ?? "later"
            return "too many requests; try again \(wait)" + (hasToken ? "" : ", or set HF_TOKEN for a higher limit")
        case 500...: return "the hub has trouble; try again later"
        default: return "check that HF_ENDPOINT names a model hub"
        }
    }

    /// The hub's own message, in a header or in the body.
    private var reason: String? {
        let body = try? JSONValue(parsing: response.refusal, source: "refusal")
        let text = response["x-error-message"] ?? body?["error"]?.string
        return text.flatMap { $0.isEmpty ? nil : $0.printable }
    }
}
