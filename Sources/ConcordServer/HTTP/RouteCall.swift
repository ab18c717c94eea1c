import ConcordCore
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import Synchronization

/// One request on its way to an answer, as a route's handler sees it.
final class RouteCall: Sendable {
    /// Facts for the log, the metrics and the headers of the response.
    struct Notes {
        var model: String?
        var items = 0
        var rate: RateLimiter.State?
    }

    let request: Request
    let state: ServerState
    /// The settings when the request arrived.
    let settings: ServerState.Settings
    let identity: RequestIdentity
    /// Whose key it is; `nil` where no keys are asked for.
    let key: APIKey?
    /// The values of the placeholders in the route's path.
    let parameters: [String: String]
    /// The most bytes of the body.
    let bodyLimit: Int
    let notes = Mutex(Notes())
    /// Bytes of the shared budget that the body takes until the request is over.
    private let takenBytes = Mutex(0)
    private let start = ContinuousClock.now

    init(
        _ request: Request, state: ServerState, settings: ServerState.Settings, identity: RequestIdentity, key: APIKey?,
        parameters: [String: String], bodyLimit: Int
    ) {
        self.request = request
        self.state = state
        self.settings = settings
        self.identity = identity
        self.key = key
        self.parameters = parameters
        self.bodyLimit = bodyLimit
    }

    deinit { state.bodies.giveBack(takenBytes.withLock { $0 }) }

    /// The query's values by name; the last of several with the same name.
    private var query: [String: String] {
        Dictionary(
            request.uri.queryParameters.map { (String($0.key), String($0.value)) }, uniquingKeysWith: { $1 })
    }

    /// The model that the request names, or the default one.
    func model(named name: String?) throws(ServingError) -> ServedModel {
        let model = try state.registry.model(named: name.map { settings.configuration.modelName($0) })
        notes.withLock { $0.model = model.name }
        return model
    }

    /// Takes `items` from the caller's quota. Throws an error with 429 when it has none left.
    func admit(items: Int) throws(ServingError) {
        notes.withLock { $0.items = items }
        guard let key else { return }
        let rate = try state.limiter.admit(caller: key.id, limits: key.limits, items: items)
        notes.withLock { $0.rate = rate }
    }

    /// Takes what images had from the caller's quota of pixels.
    func charge(pixels: Int) {
        guard let key, pixels > 0 else { return }
        state.limiter.charge(caller: key.id, limits: key.limits, pixels: pixels)
    }

    /// The context of the request's work. Many items wait in the bulk lane unless the client says otherwise.
    func workContext(items: Int = 1) throws(ServingError) -> WorkContext {
        var priority: Priority = items > 16 ? .bulk : .interactive
        if let named = try request.headers.value(WorkHeaders.definition.group.priority) { priority = named }
        var time = settings.configuration.requestTimeout
        if let milliseconds = try request.headers.value(WorkHeaders.definition.group.timeout) {
            time = min(time, .milliseconds(milliseconds))
        }
        return WorkContext(
            priority: priority, deadline: start + time, requestID: identity.requestID, caller: key?.id)
    }

    /// The whole body as it was sent. Throws an error with 413, as soon as it is known to be too large, or 503.
    private func body() async throws -> [UInt8] {
        let tooLarge = ServingError.tooLarge("The body may have \(bodyLimit) bytes.")
        let announced = request.headers[.contentLength].flatMap { Int($0) } ?? 0
        guard announced <= bodyLimit else { throw tooLarge }
        var bytes: [UInt8] = []
        for try await buffer in request.body {
            guard buffer.readableBytes <= bodyLimit - bytes.count else { throw tooLarge }
            try take(buffer.readableBytes)
            if bytes.isEmpty { bytes.reserveCapacity(min(announced, bodyLimit)) }
            bytes.append(contentsOf: buffer.readableBytesView)
        }
        // A body that ends early is of a client that left.
        guard bytes.count >= announced else { throw ServingError.cancelled }
        return bytes
    }

    /// Takes bytes of the shared budget until the request is over. Throws an error with 503 when they are not free.
    private func take(_ count: Int) throws(ServingError) {
        try state.bodies.take(count)
        takenBytes.withLock { $0 += count }
    }

    /// The encoded image, fetched where it is elsewhere and the server was told to fetch.
    func bytes(
        of source: ImageSource, parameter: String, _ model: ServedModel, _ context: WorkContext
    ) async throws(ServingError) -> [UInt8] {
        switch source {
        case .bytes(let bytes): return bytes
        case .address(let address):
            guard let fetcher = settings.fetcher else { throw ImageText.noAddress(parameter) }
            let start = ContinuousClock.now
            let bytes: [UInt8]
            do throws(ConcordError) { bytes = try await fetcher.fetch(address, deadline: context.deadline) } catch {
                throw ServingError(fetching: error, parameter: parameter)
            }
            state.metrics.stage(.fetch, model: model.name, seconds: start.duration(to: .now) / .seconds(1))
            return try ImageText.checked(bytes, parameter: parameter)
        }
    }

    /// Reads the request, on a thread of its own when its body is large or compressed. Throws also an error with 415.
    func read<Content: Sendable>(_ reader: BodyReader<Content>) async throws -> Content {
        let isCompressed = try isCompressed()
        let boundary = try formBoundary(), query = reader.query.isEmpty ? [:] : query, headers = request.headers
        let sent = try await body()
        return try await state.offload(bytes: isCompressed ? .max : sent.count) {
            () throws(ServingError) -> Content in
            let bytes = isCompressed ? try self.inflated(sent) : sent
            return try reader.read(RequestBody(bytes: bytes, boundary: boundary, query: query, headers: headers))
        }
    }

    /// True if the body has a content coding. Throws an error with 415 for an unknown one.
    private func isCompressed() throws(ServingError) -> Bool {
        guard let coding = request.headers[.contentEncoding], coding.lowercased() != "identity" else { return false }
        guard CompressedBody.isKnown(coding) else {
            throw ServingError(
                .unsupportedMediaType,
                "Send the body without Content-Encoding, or compressed once, by gzip or deflate.",
                code: "unsupported_encoding")
        }
        return true
    }

    private func inflated(_ sent: [UInt8]) throws(ServingError) -> [UInt8] {
        try CompressedBody.inflated(sent, limit: bodyLimit) { count throws(ServingError) in try take(count) }
    }

    /// The boundary where the body says it is a form.
    private func formBoundary() throws(ServingError) -> String? {
        guard let type = request.headers[.contentType],
            type.prefix(while: { $0 != ";" }).trimmed.lowercased() == "multipart/form-data"
        else { return nil }
        guard let boundary = MultipartForm.boundary(ofContentType: type) else {
            throw .invalid(nil, "The content type names no valid boundary.", code: "invalid_form")
        }
        return boundary
    }
}

/// The headers with which a request sets its priority and deadline.
struct WorkHeaders: FieldGroup {
    static let definition = FieldDefinition(WorkHeaders())

    let priority = Field(
        "X-Priority", .choice(["interactive": Priority.interactive, "bulk": .bulk]),
        "Which queue the request waits in; without it, bulk for more than 16 items.")
    let timeout = Field(
        "X-Timeout-Ms", .integer(in: 1...86_400_000), "After so many milliseconds the answer is of no use any more.")
}

/// A request that is read from a JSON object.
protocol JSONContent: Sendable {
    associatedtype Fields: FieldGroup

    init(_ fields: RequestFields<Fields>) throws(ServingError)
}

/// A request that is read from a form.
protocol FormContent: Sendable {
    associatedtype Form: FieldGroup

    init(form: RequestFields<Form>) throws(ServingError)
}

/// The body of a request, and what else says what it asks for.
struct RequestBody: Sendable {
    let bytes: [UInt8]
    /// The boundary of its parts where the body says that it is a form.
    let boundary: String?
    let query: [String: String]
    let headers: HTTPFields

    func json() throws(ServingError) -> JSONValue { try RequestJSON.parse(bytes) }
    func form(_ boundary: String) throws(ServingError) -> MultipartForm {
        try MultipartForm(bytes, boundary: boundary)
    }
}

extension HTTPFields {
    /// The value of a field in the head of a request, in letters of either case; `nil` where it is not there.
    func value<Kind: PlainFieldKind>(_ field: Field<Kind>) throws(ServingError) -> Kind.Value? {
        guard let name = HTTPField.Name(field.name), let text = self[name] else { return nil }
        return try field.kind.value(ofText: text.lowercased(), field.name)
    }
}

/// The reading of a route's requests together with their description: one definition gives both.
struct BodyReader<Content: Sendable>: Sendable {
    /// Content types of the body, each with its JSON schema.
    let types: [(type: String, schema: JSONValue)]
    /// Fields that are read from the query.
    var query: [any DescribedField] = []
    /// Fields that are read from the head of the request.
    var headers: [any DescribedField] = []
    /// Refuses a request without a body.
    var isRequired = true
    let read: @Sendable (RequestBody) throws(ServingError) -> Content
}

extension BodyReader where Content: JSONContent {
    /// A JSON object.
    static var json: BodyReader {
        BodyReader(types: [("application/json", Content.Fields.definition.schema)]) { body throws(ServingError) in
            guard body.boundary == nil else { throw noForm }
            return try Content(RequestFields(body.json()))
        }
    }

    /// A JSON object, or nothing, which is an empty one.
    static var optionalJSON: BodyReader {
        BodyReader(types: [("application/json", Content.Fields.definition.schema)], isRequired: false) {
            body throws(ServingError) in
            try Content(RequestFields(body.bytes.isEmpty ? .object([]) : body.json()))
        }
    }

    private static var noForm: ServingError {
        ServingError(.unsupportedMediaType, "Send the body as JSON.")
    }
}

extension BodyReader where Content: JSONContent & FormContent {
    /// A JSON object or a form.
    static var jsonOrForm: BodyReader {
        BodyReader(types: [
            ("application/json", Content.Fields.definition.schema),
            ("multipart/form-data", Content.Form.definition.formSchema),
        ]) { body throws(ServingError) in
            guard let boundary = body.boundary else { return try Content(RequestFields(body.json())) }
            return try Content(form: RequestFields(body.form(boundary)))
        }
    }
}

/// Reads the JSON of a request.
enum RequestJSON {
    /// Deep enough for every request, and for nothing that would exhaust a stack.
    static let limits = JSONLimits(depth: 32, values: 1_000_000)

    static func parse(_ bytes: some Collection<UInt8>) throws(ServingError) -> JSONValue {
        guard !bytes.isEmpty else {
            throw .invalid(nil, "The body is empty; a JSON object is expected.", code: "missing")
        }
        do throws(ConcordError) {
            return try JSONValue(parsing: bytes, source: "The body", limits: limits)
        } catch { throw .invalid(nil, error.message + ".", code: "invalid_json") }
    }
}
