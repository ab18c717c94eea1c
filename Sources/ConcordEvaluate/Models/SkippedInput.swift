import ConcordCore

/// A picture among many that could not be used and was left out, so that the others could be.
public struct SkippedInput: Sendable, Hashable {
    /// Its place among the inputs, from 0.
    public let index: Int
    public let path: String
    /// What is wrong with it.
    public let reason: String

    public init(index: Int, path: String, reason: String) {
        self.index = index
        self.path = path
        self.reason = reason
    }

    public var json: JSONValue {
        ["index": .integer(index), "path": .string(path), "reason": .string(reason)]
    }

    /// Writes inputs as JSON lines, atomically; where there are none, a file of an earlier list is removed.
    ///
    /// - Throws: `.fileSystem`.
    public static func write(_ inputs: [SkippedInput], to path: String) throws {
        guard !inputs.isEmpty else { return try ResumableOutput.remove(path) }
        try Files.replace(path, with: inputs.map { $0.json.text() + "\n" }.joined())
    }
}
