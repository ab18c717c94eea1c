import ConcordCore

/// A hub's description of one revision of a repository: the commit and its files.
struct HubListing {
    struct Entry {
        let path: String
        /// Nil where the hub does not say without a request for the file itself.
        let details: HubFile?
    }

    /// Forty lower-case hexadecimal digits.
    let commit: String
    let entries: [Entry]
    // Keyed by bytes: `String` equality would merge names that are canonically equivalent.
    private let positions: [[UInt8]: Int]

    /// More than any repository of a model needs.
    static let maximumBytes = 1 << 25

    /// Reads the answer of `/api/models/…/revision/…?blobs=true`.
    ///
    /// - Throws: `.invalidDownload` when it is not what a hub answers, or when a path leads out of the repository:
    ///   a hub that serves one such path is trusted with no other.
    init(_ json: JSONValue, source: String) throws(ConcordError) {
        guard let commit = json["sha"]?.string, HubRepository.isCommit(commit) else {
            let shown = (json["sha"] ?? .null).text().printable
            throw ConcordError(
                .invalidDownload,
                "\(source) names no commit: `sha` is \(shown); check that HF_ENDPOINT names a model hub")
        }
        guard let siblings = json["siblings"]?.elements else {
            throw ConcordError(.invalidDownload, "\(source) lists no files: it has no array `siblings`")
        }
        var entries = [Entry](), positions = [[UInt8]: Int]()
        for sibling in siblings {
            guard let path = sibling["rfilename"]?.string, Self.isSafe(path) else {
                let shown = (sibling["rfilename"] ?? .null).text().printable
                throw ConcordError(
                    .invalidDownload,
                    "\(source) lists a file \(shown), which is no path within the repository; nothing was downloaded")
            }
            guard positions.updateValue(entries.count, forKey: Array(path.utf8)) == nil else {
                throw ConcordError(.invalidDownload, "\(source) lists \(path) twice")
            }
            entries.append(Entry(path: path, details: Self.details(sibling, path: path)))
        }
        self.commit = commit
        self.entries = entries
        self.positions = positions
    }

    /// The hub's description of a file; nil when there is none.
    subscript(path: String) -> Entry? { positions[Array(path.utf8)].map { entries[$0] } }

    /// Size and hash of a file; nil unless the hub says both.
    private static func details(_ sibling: JSONValue, path: String) -> HubFile? {
        let large = sibling["lfs"].flatMap { $0.isNull ? nil : $0 }
        let size = large?["size"]?.int ?? sibling["size"]?.int
        let hash = large == nil ? sibling["blobId"]?.string : (large?["sha256"] ?? large?["oid"])?.string
        guard let size, size >= 0, let hash = hash.flatMap(FileHash.init(announced:)),
            hash.algorithm == (large == nil ? .gitBlob : .sha256)
        else { return nil }
        return HubFile(path: path, size: size, hash: hash)
    }

    /// Whether a path stays within the folder that it is appended to, on any system.
    static func isSafe(_ path: String) -> Bool {
        // A backslash separates folders and a colon names a drive where such a cache may be read later.
        let parts = path.split(omittingEmptySubsequences: false) { $0 == "/" || $0 == "\\" }
        return !path.isEmpty && path.utf8.count <= 1024
            && !path.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F }
            && !parts.contains { $0.isEmpty || $0 == "." || $0 == ".." || $0.utf8.count > 255 }
            && !(path.utf8.count >= 2 && path.utf8.dropFirst().first == UInt8(ascii: ":"))
    }
}

/// One file of a repository, as the hub announces it.
package struct HubFile: Sendable, Hashable {
    /// Its path within the repository, checked to stay within.
    package let path: String
    /// Its length in bytes.
    package let size: Int
    /// The SHA-256 of a file in Git LFS, the git blob hash of any other; the name of its blob in the cache.
    package let hash: FileHash
}
