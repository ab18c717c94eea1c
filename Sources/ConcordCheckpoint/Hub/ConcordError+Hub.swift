import ConcordCore

extension ConcordError.Code {
    /// A model hub that cannot be reached, stopped answering, refused, or has no such model or file.
    public static let hub = Self(rawValue: "hub")
    /// A connection that broke in the middle; what came is kept, and the next pull goes on from there.
    public static let interruptedDownload = Self(rawValue: "interruptedDownload")
    /// What a server sent is not what was announced, or not allowed: length, hash, path, redirect.
    public static let invalidDownload = Self(rawValue: "invalidDownload")
}
