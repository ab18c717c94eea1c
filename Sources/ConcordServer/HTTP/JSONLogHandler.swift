import ConcordCore
import ConcordPlatform
import Logging

/// Writes log events to standard error, a line each: as JSON objects, or as text.
struct JSONLogHandler: LogHandler {
    enum Format: String, Sendable, CaseIterable {
        case text, json
    }

    let label: String
    let format: Format
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    private let write: @Sendable (String) -> Void

    init(
        label: String, format: Format, logLevel: Logger.Level,
        write: @escaping @Sendable (String) -> Void = Self.writeToStandardError
    ) {
        self.label = label
        self.format = format
        self.logLevel = logLevel
        self.write = write
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadata
        all.merge(event.metadata ?? [:]) { $1 }
        if let error = event.error { all["error"] = "\(error)" }
        let pairs = all.sorted { $0.key < $1.key }
        let time = Date.now.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        switch format {
        case .json:
            let members: [JSONValue.Member] =
                [
                    .init("time", .string(time)), .init("level", .string(event.level.rawValue)),
                    .init("message", .string(event.message.description)),
                ] + pairs.map { .init($0.key, .string($0.value.description)) }
            write(JSONValue.object(members).text() + "\n")
        case .text:
            let fields = pairs.map { " \($0.key)=\(Self.quoted($0.value.description))" }.joined()
            write("\(time) \(event.level.rawValue) \(Self.quoted(event.message.description, always: false))\(fields)\n")
        }
    }

    private static func writeToStandardError(_ line: String) {
        var line = line
        line.withUTF8 { bytes in
            // In one call where the system takes it, so that lines of several threads do not mix.
            var offset = 0
            while offset < bytes.count {
                let count = ConcordPlatform.write(
                    STDERR_FILENO, bytes.baseAddress.map { $0 + offset }, bytes.count - offset)
                if count < 0 && errno == EINTR { continue }
                // A log that cannot be written is no reason to do nothing else.
                if count <= 0 { return }
                offset += count
            }
        }
    }

    /// The text, in JSON's quotes where a space or a control character would break the line apart.
    private static func quoted(_ text: String, always: Bool = true) -> String {
        let isPlain = text.unicodeScalars.allSatisfy { $0.value > 0x20 && $0 != "\"" && $0.value != 0x7F }
        if isPlain { return text }
        return always || text.contains(where: \.isNewline) ? JSONValue.string(text).text() : text
    }
}
