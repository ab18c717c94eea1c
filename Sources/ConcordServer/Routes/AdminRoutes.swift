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
                guard let chosen = name ?? call.state.registry.statuses.first?.name,
                    call.state.registry.statuses.contains(where: { $0.name == chosen })
                else {
                    throw RequestFailure(
                        status: .notFound, message: "There is no such model.", parameter: "model",
                        code: "model_not_found")
                }
                do throws(ConcordError) { try await call.state.registry.reload(name: chosen) } catch {
                    // The message names files, which is for the log alone; the registry has told it there.
                    throw RequestFailure(
                        status: .conflict,
                        message: "The model was not replaced: the new one does not load or fails its check. The log "
                            + "has more under the request's id.", type: "server_error", code: "reload_failed")
                }
                return .json([
                    "model": .string(chosen), "status": "reloaded",
                    "milliseconds": .number((start.duration(to: .now) / .milliseconds(1)).rounded()),
                ])
            })
    ]
}
