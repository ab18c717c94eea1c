import ConcordCore
import HTTPTypes
import HummingbirdCore
import Logging
import Synchronization

/// The ids of a request in logs and responses, and the trace that it belongs to.
struct RequestIdentity: Sendable {
    /// The client's `X-Request-Id` where it is harmless, else a new one.
    let requestID: String
    /// The trace of a valid W3C `traceparent`, 32 hexadecimal digits.
    let traceID: String?
    /// The span of the caller, 16 hexadecimal digits.
    let parentSpanID: String?

    init(_ headers: HTTPFields) {
        let given = headers[.requestID]
        requestID = given.flatMap { Self.isHarmless($0) ? $0 : nil } ?? Self.make()
        let trace = headers[.traceParent].flatMap(Self.parse)
        traceID = trace?.trace
        parentSpanID = trace?.span
    }

    private static func isHarmless(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                    || byte == 0x2D || byte == 0x2E || byte == 0x5F
            }
    }

    /// 32 random hexadecimal digits.
    private static func make() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<2).map { _ in
            let digits = String(generator.next(), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    /// `00-<32 digits>-<16 digits>-<2 digits>`, with neither id zero.
    private static func parse(_ text: String) -> (trace: String, span: String)? {
        let fields = text.split(separator: "-", omittingEmptySubsequences: false)
        guard fields.count >= 4, fields[0].count == 2, fields[0] != "ff", fields[1].count == 32, fields[2].count == 16,
            fields[3].count == 2, fields[0] != "00" || fields.count == 4,
            fields.prefix(4).allSatisfy({
                $0.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
            }),
            fields[1].contains(where: { $0 != "0" }), fields[2].contains(where: { $0 != "0" })
        else { return nil }
        return (String(fields[1]), String(fields[2]))
    }
}

extension HTTPField.Name {
    private static func make(_ name: String) -> HTTPField.Name {
        guard let made = HTTPField.Name(name) else { preconditionFailure("\(name) is no header") }
        return made
    }

    static let requestID = make("X-Request-Id")
    static let traceParent = make("traceparent")
    static let apiKey = make("X-API-Key")
    /// Of HTTP/1.1, beside the first, which is the request's authority.
    static let furtherHost = make("Host")
    static let inferenceHeaderLength = make("Inference-Header-Content-Length")
    static let rateLimit = make("X-RateLimit-Limit")
    static let rateRemaining = make("X-RateLimit-Remaining")
    static let rateReset = make("X-RateLimit-Reset")
    static let frameOptions = make("X-Frame-Options")
    static let referrerPolicy = make("Referrer-Policy")
}

/// The record of a finished request: a line in the log, and metrics. It never contains keys, bodies or queries.
struct AccessRecord: Sendable {
    let request: Request
    /// The template of the route; `nil` where none was found.
    let route: String?
    let status: HTTPResponse.Status
    let identity: RequestIdentity
    let caller: String?
    let start: ContinuousClock.Instant

    /// - Parameter fault: what a client was not told in full.
    func write(_ call: RouteCall?, _ fault: (any Error)?, to state: ServerState) {
        let notes = call?.notes.withLock { $0 } ?? RouteCall.Notes()
        let elapsed = start.duration(to: .now)
        let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) * 1e-18
        state.metrics.request(
            model: notes.model, route: route ?? "none", outcome: "\(status.code / 100)xx", seconds: seconds)
        let isFault = status.code == 500
        let level: Logger.Level = isFault ? .error : route?.hasPrefix("/health") == true ? .debug : .info
        guard state.logger.logLevel <= level else { return }
        var metadata: Logger.Metadata = [
            "request_id": "\(identity.requestID)", "method": "\(request.method.rawValue)",
            "route": "\(route ?? "none")", "status": "\(status.code)",
            "milliseconds": "\((seconds * 1e5).rounded() / 100)",
        ]
        if let trace = identity.traceID { metadata["trace_id"] = "\(trace)" }
        if let span = identity.parentSpanID { metadata["parent_span_id"] = "\(span)" }
        if let caller { metadata["caller"] = "\(caller)" }
        if let model = notes.model { metadata["model"] = "\(model)" }
        if notes.items > 0 { metadata["items"] = "\(notes.items)" }
        if let fault { metadata["error"] = "\(fault)" }
        state.logger.log(level: level, "request", metadata: metadata)
    }
}
