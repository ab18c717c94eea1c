import ConcordCore
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import Synchronization

/// Answers every request: finds its route, asks for a key, has the route's handler work, and turns what went wrong into
/// the route's shape of errors.
struct ServerResponder: HTTPResponder {
    typealias Context = ServerContext

    let state: ServerState
    let table: RouteTable

    func respond(to request: Request, context: ServerContext) async throws -> Response {
        let start = ContinuousClock.now
        let settings = state.settings
        let identity = RequestIdentity(request.headers)
        let match = table.match(request.method, path: request.uri.path) { name in
            let real = settings.configuration.modelName(name)
            return state.registry.statuses.contains { $0.name == real }
        }
        let route = match?.route
        var response: Response
        var call: RouteCall?
        var fault: (any Error)?
        do {
            try HostField.check(request)
            try settings.keylessAccess?.check(request)
            if let preflight = settings.crossOrigin.preflight(request) {
                response = preflight
            } else {
                let (route, parameters) = try found(match, request)
                let key = try authenticate(request, for: route, settings.keys)
                let made = RouteCall(
                    request, state: state, settings: settings, identity: identity, key: key, parameters: parameters,
                    bodyLimit: route.body.limit(settings.configuration))
                call = made
                response = try await answer(made, with: route, context)
            }
        } catch let error as HTTPParserError {
            // The server answers malformed HTTP by itself, and closes.
            throw error
        } catch {
            fault = error
            response = failureResponse(
                Self.failure(error), shape: route?.errors ?? .unknown(path: request.uri.path), identity)
        }
        finish(&response, for: request, identity, settings.crossOrigin)
        let rate = call?.notes.withLock { $0.rate }
        if let rate { Self.add(rate, to: &response) }
        let record = AccessRecord(
            request: request, route: route?.path, status: response.status, identity: identity, caller: call?.key?.id,
            start: start)
        return logged(response, record, call, fault)
    }

    private func found(
        _ match: RouteTable.Match?, _ request: Request
    ) throws(ServingError) -> (Route, [String: String]) {
        guard let match else {
            var message = "There is nothing at this address; /docs lists what there is."
            if ErrorShape.unknown(path: request.uri.path) == .inference {
                message +=
                    " Of the Open Inference Protocol's extensions this server has "
                    + InferenceRoutes.extensions.joined(separator: " and ") + "."
            }
            throw ServingError(.notFound, message)
        }
        guard let route = match.route else {
            let allowed = match.methods.map(\.rawValue).joined(separator: ", ")
            throw ServingError(.methodNotAllowed(allowed: allowed), "This address takes \(allowed).")
        }
        return (route, match.parameters)
    }

    /// The entry of the caller's key; nil where none is needed.
    private func authenticate(
        _ request: Request, for route: Route, _ keys: APIKeys?
    ) throws(ServingError) -> APIKey? {
        guard let keys, route.access != .open else { return nil }
        let bearer = request.headers[.authorization].flatMap { text in
            text.lowercased().hasPrefix("bearer ") ? text.dropFirst(7).trimmed : nil
        }
        guard let shown = bearer ?? request.headers[.apiKey], let key = keys.entry(for: shown) else {
            state.metrics.refused(reason: "key")
            throw ServingError(.unauthenticated, "A valid key is needed: Authorization: Bearer KEY.")
        }
        if case .scope(let scope) = route.access, !key.scopes.contains(scope) {
            state.metrics.refused(reason: "scope")
            throw ServingError(
                .forbidden, "The key is not meant for this; it lacks the scope \"\(scope.rawValue)\".")
        }
        return key
    }

    /// Has the route work in a task of its own, which is cancelled when the client leaves.
    private func answer(_ call: RouteCall, with route: Route, _ context: ServerContext) async throws -> Response {
        guard route.method == .post else { return try await route.handler(call) }
        let connection = try? await context.connection()
        // Where the connection's own task runs, see ConnectionChannel.
        let task = Task(executorPreference: EventLoopExecutor(context.channel.eventLoop)) {
            try await route.handler(call)
        }
        connection?.whenClosed { task.cancel() }
        defer { connection?.forget() }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    private static func failure(_ error: any Error) -> ServingError {
        switch error {
        case let error as ServingError: error
        case is CancellationError, is ChannelError: .cancelled
        default: .failed("\(error)")
        }
    }

    private func failureResponse(
        _ failure: ServingError, shape: ErrorShape, _ identity: RequestIdentity
    ) -> Response {
        let status = shape.status(of: failure)
        var response = Response.json(
            shape.body(of: failure, requestID: identity.requestID),
            status: status == Int(failure.status.code) ? failure.status : .init(code: status))
        for field in failure.headers { response.headers[field.name] = field.value }
        if let time = failure.retryAfter { response.setRetry(after: time) }
        return response
    }

    /// Adds the headers that every answer has.
    private func finish(
        _ response: inout Response, for request: Request, _ identity: RequestIdentity,
        _ crossOrigin: CrossOrigin
    ) {
        response.headers[.requestID] = identity.requestID
        response.headers[.xContentTypeOptions] = "nosniff"
        crossOrigin.allow(&response, for: request)
        if state.isDraining || response.status == .contentTooLarge { response.headers[.connection] = "close" }
        if request.method == .head { response = response.createHeadResponse() }
    }

    private static func add(_ rate: RateLimiter.State, to response: inout Response) {
        response.headers[.rateLimit] = String(rate.limit)
        response.headers[.rateRemaining] = String(rate.remaining)
        response.headers[.rateReset] = String(
            rate.reset.components.seconds + (rate.reset.components.attoseconds > 0 ? 1 : 0))
    }

    /// The response, with its line in the log when it was sent.
    private func logged(
        _ response: Response, _ record: AccessRecord, _ call: RouteCall?, _ fault: (any Error)?
    ) -> Response {
        if response.status.code == 429 { state.metrics.refused(reason: "quota") }
        if response.status.code == 503, record.route?.hasPrefix("/health") != true {
            state.metrics.refused(reason: "overload")
        }
        guard response.body.contentLength == nil, record.request.method != .head else {
            record.write(call, fault, to: state)
            return response
        }
        var response = response
        let body = response.body
        response.body = ResponseBody { [state] writer in
            do {
                try await body.write(writer)
                record.write(call, fault, to: state)
            } catch {
                record.write(call, fault ?? error, to: state)
                throw error
            }
        }
        return response
    }
}
