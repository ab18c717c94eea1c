import ConcordCore
import HTTPTypes
import HummingbirdCore

enum HealthRoutes {
    static let all: [Route] = [live, ready, metrics]

    static let live = Route(
        get: "/health/live", summary: "Liveness: the server is running.", access: .open,
        handler: { _ in .json(["status": "live"]) })

    static let ready = Route(
        get: "/health/ready",
        summary: "Readiness: every model passed its latest canary check; otherwise 503 with the reasons.",
        access: .open,
        handler: { call in
            let found = readiness(call.state)
            let statuses = call.state.registry.statuses
            let models = statuses.map { status -> JSONValue in
                [
                    "name": .string(status.name), "state": .string(status.state.rawValue),
                    "reason": status.reason.map(JSONValue.string) ?? .null, "queued": .integer(status.queuedItems),
                ]
            }
            return answer(
                [
                    "status": found.isReady ? "ready" : "not ready",
                    "reasons": .array(found.reasons.map(JSONValue.string)), "models": .array(models),
                ], isReady: found.isReady, statuses)
        })

    static let metrics = Route(
        get: "/metrics", summary: "Metrics in the Prometheus text format.", access: .scope(.metrics),
        responses: [("text/plain", ["type": "string"])],
        handler: { call in
            .bytes(Array(call.state.metrics.text().utf8), type: "text/plain; version=0.0.4; charset=utf-8")
        })

    /// 200, or 503, then with the time after which to ask again where models are being loaded.
    static func answer(_ body: JSONValue, isReady: Bool, _ models: [ModelStatus]) -> Response {
        var response = Response.json(body, status: isReady ? .ok : .serviceUnavailable)
        if !isReady, models.contains(where: { $0.state == .loading }) { response.setRetry(after: .seconds(1)) }
        return response
    }

    static func readiness(_ state: ServerState) -> Readiness {
        if state.isDraining { return Readiness(isReady: false, reasons: ["the server is about to end"]) }
        return state.registry.readiness
    }
}
