import ConcordCore
import HTTPTypes

/// What a request asks for in a JSON object.
protocol JSONContent: Sendable {
    associatedtype Fields: FieldGroup

    init(_ fields: RequestFields<Fields>) throws(ServingError)
}

/// What a request asks for in a form.
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
    /// The value of a field in the head of a request, in letters of either case; nil where it is not there.
    func value<Kind: PlainFieldKind>(_ field: Field<Kind>) throws(ServingError) -> Kind.Value? {
        guard let name = HTTPField.Name(field.name), let text = self[name] else { return nil }
        return try field.kind.value(ofText: text.lowercased(), field.name)
    }
}

/// How a route reads its requests, and how they are described: one definition gives both.
struct BodyReader<Content: Sendable>: Sendable {
    /// Content types of the body, each with its JSON schema.
    let types: [(type: String, schema: JSONValue)]
    /// Fields that are read from the query.
    var query: [any DescribedField] = []
    /// Fields that are read from the head of the request.
    var headers: [any DescribedField] = []
    /// Whether there must be a body.
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
