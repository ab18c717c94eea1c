/// One file of a repository, as the hub announces it.
public struct HubFile: Sendable, Hashable {
    /// Its path within the repository, checked to stay within.
    public let path: String
    /// Its length in bytes.
    public let size: Int
    /// The SHA-256 of a file in Git LFS, the git blob hash of any other; the name of its blob in the cache.
    public let hash: FileHash
}
