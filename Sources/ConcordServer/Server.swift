import ConcordCore
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import Synchronization

// A request from socket to socket, in the order in which it happens. `ServerResponder.respond` below is the whole of it;
// the files that `POST /v1/embeddings` with one image passes are:
//
//   HTTP/Connection.swift              the socket: an event loop, time limits, a client that leaves
//   Server.swift                       this page
//   HTTP/ServerState.swift             what requests share, and the version of the settings that one of them sees
//   Routes/Route.swift                 the table of addresses
//   HTTP/AccessRules.swift             hosts and origins; with keys also HTTP/APIKeys.swift
//   HTTP/RouteCall.swift               the request as its handler sees it: body (JSON or a form), model, quota
//   Wire/RequestFields.swift           the fields of a body: read by what also describes them in /openapi.json
//   Wire/FieldKinds.swift             kinds of the service's own; plain values are in ConcordCore/PlainKinds.swift
//   Wire/EmbeddingFields.swift
//   Wire/EmbeddingRequest.swift        what the request asks for
//   Wire/ImageText.swift               images as base64, data URI or address (then also Fetching/)
//   Routes/EmbeddingRoutes.swift       the handler; `Embedder`, which embeds the inputs many at a time; the response
//   Engine/ModelRegistry.swift         the model of that name
//   Engine/ModelTable.swift
//   Engine/ServedModel.swift           admit, inspect, look into the cache, decode, run; and the work of each queue
//   Engine/DecodingPool.swift          threads that decode images
//   Engine/Batcher.swift               items of many requests in one run …
//   Engine/BatchQueue.swift            … with its lanes and threads
//   ExportedModel.swift                in ConcordRuntime: the model, without HTTP …
//   ExportedTowers.swift               … which pads and runs a batch …
//   OnnxSession.swift                  … by ONNX Runtime
//   HTTP/Response.swift                what all responses are made of; errors (Engine/ServingError.swift) get their status
//                                      and shape here
//
// How a server starts, follows its settings and ends is in HTTP/InferenceServer.swift.

/// Answers every request.
struct ServerResponder: HTTPResponder {
    typealias Context = ServerContext

    let state: ServerState
    let table: RouteTable

    func respond(to request: Request, context: ServerContext) async throws -> Response {
        let start = ContinuousClock.now
        // A request keeps the settings that it began with, whatever is reloaded meanwhile.
        let settings = state.settings
        let identity = RequestIdentity(request.headers)
        let match = table.match(request.method, path: request.uri.path) { name in
            let real = settings.configuration.modelName(name)
            return state.registry.statuses.contains { $0.name == real }
        }
        var response: Response
        var call: RouteCall?
        var fault: (any Error)?
        do {
            // Who may ask at all.
            try HostField.check(request)
            try settings.keylessAccess?.check(request)
            if let preflight = settings.crossOrigin.preflight(request) {
                response = preflight
            } else {
                // What is asked for, and by whom.
                let (route, parameters) = try found(match, request)
                let key = try authenticate(request, for: route, settings.keys)
                let made = RouteCall(
                    request, state: state, settings: settings, identity: identity, key: key, parameters: parameters,
                    bodyLimit: route.body.limit(settings.configuration))
                call = made
                // The work: see the route's handler in Routes/.
                response = try await answer(made, with: route, context)
            }
        } catch let error as HTTPParserError {
            // The server answers malformed HTTP by itself, and closes.
            throw error
        } catch {
            fault = error
            response = errorResponse(
                Self.servingError(error), shape: match?.route?.errors ?? .unknown(path: request.uri.path), identity)
        }
        addHeaders(to: &response, for: request, identity, settings.crossOrigin)
        if let rate = call?.notes.withLock({ $0.rate }) { Self.add(rate, to: &response) }
        let record = AccessRecord(
            request: request, route: match?.route?.path, status: response.status, identity: identity,
            caller: call?.key?.id, start: start)
        return logged(response, record, call, fault)
    }

    // MARK: - Who asks for what

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

    /// The entry of the caller's key; `nil` where none is needed.
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

    // MARK: - The work

    /// Runs the handler in a separate task, and cancels it if the client disconnects.
    private func answer(_ call: RouteCall, with route: Route, _ context: ServerContext) async throws -> Response {
        guard route.method == .post else { return try await route.handler(call) }
        let connection = try? await context.connection()
        // On the event loop, where the connection's own task runs: see ConnectionChannel.
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

    // MARK: - The response

    private static func servingError(_ error: any Error) -> ServingError {
        switch error {
        case let error as ServingError: error
        case is CancellationError, is ChannelError: .cancelled
        default: .failed("\(error)")
        }
    }

    private func errorResponse(_ error: ServingError, shape: ErrorShape, _ identity: RequestIdentity) -> Response {
        let status = shape.status(of: error)
        var response = Response.json(
            shape.body(of: error, requestID: identity.requestID),
            status: status == Int(error.status.code) ? error.status : .init(code: status))
        for field in error.headers { response.headers[field.name] = field.value }
        if let time = error.retryAfter { response.setRetry(after: time) }
        return response
    }

    /// Adds the headers that every response has.
    private func addHeaders(
        to response: inout Response, for request: Request, _ identity: RequestIdentity, _ crossOrigin: CrossOrigin
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

    /// The response, which writes its line in the log once it is sent.
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
