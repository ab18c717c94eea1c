/// How far a download is.
public struct HubProgress: Sendable, Hashable {
    /// The file that is being downloaded.
    public let file: String
    /// Bytes of all files that are there.
    public let done: Int
    /// Bytes of all files.
    public let total: Int
    /// Bytes that were there at the start.
    public let doneBefore: Int
    /// Whether another process downloads the file, and this one waits for it.
    public let isWaiting: Bool
}
