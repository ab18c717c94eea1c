import ConcordCore

/// A row of a caption file, or one caption of it, that could not be used.
public struct SkippedRow: Sendable, Hashable {
    /// Why a row could not be used.
    public enum Reason: String, Sendable, Hashable, CaseIterable {
        case invalidUTF8, invalidJSON, wrongType, missingField
        case wrongColumnCount, unclosedQuote
        /// A path that is empty or leads out of the dataset's folder.
        case invalidPath
        /// A URL or data URI in place of a path.
        case remoteImage, remoteSound
        case missingImage, missingSound
        /// An image or sound that is there and cannot be decoded; found while loading.
        case undecodableImage, undecodableSound
        /// A row with neither image, caption nor sound.
        case emptyRow
        case emptyCaption
        /// The same caption in the same language for the same image, again.
        case duplicateCaption
        /// A split other than an earlier row of the same image has.
        case conflictingSplit

        /// Whether the image is at fault, and not its captions or the form of the row.
        package var isOfImage: Bool {
            [.invalidPath, .remoteImage, .missingImage, .undecodableImage].contains(self)
        }

        /// Whether an image or a sound is at fault.
        package var isOfInput: Bool { isOfImage || [.remoteSound, .missingSound, .undecodableSound].contains(self) }
    }

    /// The caption file.
    public let file: String
    /// The line of the file, from 1, where the row begins.
    public let line: Int
    /// The caption of the row, from 1, when the others of the row were used; nil when the whole row was skipped.
    public let caption: Int?
    public let reason: Reason
    /// Whether the row is used without the image or sound that is at fault.
    public let isPartial: Bool
    /// The problem, with the value.
    package let detail: String

    public init(
        file: String, line: Int, caption: Int? = nil, reason: Reason, isPartial: Bool = false, detail: String
    ) {
        self.file = file
        self.line = line
        self.caption = caption
        self.reason = reason
        self.isPartial = isPartial
        self.detail = detail
    }

    public var json: JSONValue {
        var members: [JSONValue.Member] = [.init("file", .string(file)), .init("line", .integer(line))]
        if let caption { members.append(.init("caption", .integer(caption))) }
        members.append(.init("reason", .string(reason.rawValue)))
        if isPartial { members.append(.init("absent", .bool(true))) }
        members.append(.init("detail", .string(detail)))
        return .object(members)
    }

    /// Writes rows as JSON lines (`skipped.jsonl`), atomically. Throws `.fileSystem`.
    public static func write(_ rows: some Sequence<SkippedRow>, to path: String) throws {
        try Files.replace(path, with: rows.map { $0.json.text() + "\n" }.joined())
    }

    /// Counts of each reason, most frequent first, each with an example.
    public static func summary(_ rows: [SkippedRow]) -> String {
        let groups = Dictionary(grouping: rows, by: \.reason).values
            .sorted { ($1.count, $0[0].reason.rawValue) < ($0.count, $1[0].reason.rawValue) }
        return groups.map { rows in
            "\(rows[0].reason.rawValue) \(rows.count) (line \(rows[0].line): \(rows[0].detail))"
        }.joined(separator: "; ")
    }

    /// The error for more skipped rows than allowed.
    static func tooMany(_ rows: [SkippedRow], of total: Int, noun: String, in source: String, limit: Double)
        -> ConcordError
    {
        ConcordError(
            .tooManySkippedRows,
            "\(rows.count) of \(total) \(noun) of \(source) cannot be used, more than \(percent(limit)) %: "
                + summary(rows) + "; correct them, or raise the maximum skipped fraction")
    }

    private static func percent(_ fraction: Double) -> String {
        let percent = fraction * 100
        return percent == percent.rounded() ? String(Int(percent)) : String(percent)
    }
}
