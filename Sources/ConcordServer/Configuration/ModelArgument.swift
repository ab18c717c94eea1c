import ConcordCore

/// Which model to serve, and what requests call it: `[NAME=]FOLDER`.
public struct ModelArgument: Sendable, Hashable {
    /// Nil for the name in the model's manifest.
    public var name: String?
    public var folder: String

    public init(name: String? = nil, folder: String) {
        self.name = name
        self.folder = folder
    }

    /// Reads `[NAME=]FOLDER`. Throws `.invalidConfiguration`.
    public init(_ text: String) throws(ConcordError) {
        let sides = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        // A slash before the sign makes it part of a path.
        guard sides.count == 2, !sides[0].contains("/") else {
            self.init(folder: text)
            return
        }
        let isPlain = sides[0].utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == 0x2D
                || byte == 0x2E || byte == 0x5F
        }
        guard !sides[0].isEmpty, isPlain, !sides[1].isEmpty else {
            throw ConcordError(
                .invalidConfiguration,
                "the model \"\(text)\" must be written NAME=FOLDER or FOLDER, with a name of letters, digits, - . and _"
            )
        }
        self.init(name: String(sides[0]), folder: String(sides[1]))
    }
}
