import ConcordCore
import HTTPTypes
import HummingbirdCore

enum AdminRoutes {
    static let all: [Route] = [
        Route(
            post: "/admin/reload",
            summary: "Loads a model again from its folder, and swaps it in once it is warm and says what it must.",
            access: .scope(.admin), body: .small, reading: BodyReader<ReloadRequest>.optionalJSON,
            handler: { call, request in
                let start = ContinuousClock.now
                let chosen = request.model ?? call.state.registry.statuses.first?.name ?? ""
                let name = try await call.reload(model: chosen)
                return .json([
                    "model": .string(name), "status": "reloaded",
                    "milliseconds": .number((start.duration(to: .now) / .milliseconds(1)).rounded()),
                ])
            })
    ]
}
