import ConcordCore
import HTTPTypes
import HummingbirdCore

enum AdminRoutes {
    static let all: [Route] = [
        Route(
            method: .post, path: "/admin/reload",
            summary: "Loads a model again from its folder, and swaps it in once it is warm and says what it must.",
            access: .scope(.admin), body: .small,
            requests: [
                (
                    "application/json",
                    ["type": "object", "properties": ["model": ["type": "string"]], "additionalProperties": false]
                )
            ],
            handler: { call in
                let name = try await call.decode { bytes throws(RequestFailure) -> String? in
                    guard !bytes.isEmpty else { return nil }
                    return try RequestFields(RequestJSON.parse(bytes), known: ["model"]).text("model")
                }
                let start = ContinuousClock.now
                let chosen = name ?? call.state.registry.statuses.first?.name ?? ""
                try await call.reload(model: chosen)
                return .json([
                    "model": .string(chosen), "status": "reloaded",
                    "milliseconds": .number((start.duration(to: .now) / .milliseconds(1)).rounded()),
                ])
            })
    ]
}
