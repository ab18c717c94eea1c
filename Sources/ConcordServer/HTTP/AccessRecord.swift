import ConcordCore
import HTTPTypes
import HummingbirdCore
import Logging
import Synchronization

/// What is written of a request when it is over: a line in the log, and figures. Keys, bodies and queries are never in it.
struct AccessRecord: Sendable {
    let request: Request
    /// The template of the route; nil where none was found.
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
        if let fault {
            if let failure = fault as? RequestFailure {
                metadata["error"] = "\(failure.code ?? failure.type): \(failure.message)"
            } else {
                metadata["error"] = "\(fault)"
            }
        }
        state.logger.log(level: level, "request", metadata: metadata)
    }
}
