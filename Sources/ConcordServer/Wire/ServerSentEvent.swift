import ConcordCore

/// An event of a `text/event-stream`.
enum ServerSentEvent {
    /// - Parameter name: the event's type; nil for the usual one.
    static func bytes(_ data: JSONValue, name: String? = nil) -> [UInt8] {
        // JSON text has no line breaks but escaped ones, so one `data` line holds it.
        Array((name.map { "event: \($0)\n" } ?? "").utf8) + Array("data: \(data.text())\n\n".utf8)
    }

    /// What ends a stream of OpenAI's.
    static let done = Array("data: [DONE]\n\n".utf8)
}
