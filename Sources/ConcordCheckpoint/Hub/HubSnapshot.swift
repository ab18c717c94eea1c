import ConcordCore

/// The files of one commit in the cache.
public struct HubSnapshot: Sendable, Hashable {
    /// The folder that stands for the model.
    public let path: String
    public let commit: String
    /// Paths within the folder.
    public let files: [String]
    /// The length of all files together.
    public let byteCount: Int

    public var json: JSONValue {
        [
            "path": .string(path), "commit": .string(commit), "files": .array(files.map(JSONValue.string)),
            "bytes": .integer(byteCount),
        ]
    }
}
