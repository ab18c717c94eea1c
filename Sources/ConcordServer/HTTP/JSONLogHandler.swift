import ConcordCore
import Logging
import Synchronization

/// The level below which nothing is logged, which may change while loggers use it.
final class LogLevel: Sendable {
    private static let all = Logger.Level.allCases
    private let place: Atomic<Int>

    init(_ level: Logger.Level) { place = Atomic(Self.place(of: level)) }

    var value: Logger.Level {
        get { Self.all[place.load(ordering: .relaxed)] }
        set { place.store(Self.place(of: newValue), ordering: .relaxed) }
    }

    private static func place(of level: Logger.Level) -> Int { all.firstIndex(of: level) ?? 0 }
}

/// Writes log events to standard error, a line each: as JSON objects, or as text.
struct JSONLogHandler: LogHandler {
    enum Format: String, Sendable, CaseIterable {
        case text, json
    }

    let label: String
    let format: Format
    let level: LogLevel
    /// Of this handler alone; `nil` for the one that all share.
    private var ownLevel: Logger.Level?
    var metadata: Logger.Metadata = [:]
    private let write: @Sendable (String) -> Void

    init(
        label: String, format: Format, level: LogLevel,
        write: @escaping @Sendable (String) -> Void = Self.writeToStandardError
    ) {
        self.label = label
        self.format = format
        self.level = level
        self.write = write
    }

    var logLevel: Logger.Level {
        get { ownLevel ?? level.value }
        set { ownLevel = newValue }
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
                let count = ConcordCore.write(
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
