import ConcordCore

/// A field of a request: its name, what it holds, and what clients are told of it.
///
/// Requests are read by it and described by it, so that the two cannot differ.
struct Field<Kind: FieldKind>: DescribedField {
    let name: String
    let kind: Kind
    let summary: String
    var isRequired: Bool { false }

    init(_ name: String, _ kind: Kind, _ summary: String = "") {
        self.name = name
        self.kind = kind
        self.summary = summary
    }
}

/// A field without which a request is refused.
struct RequiredField<Kind: FieldKind>: DescribedField {
    let name: String
    let kind: Kind
    let summary: String
    var isRequired: Bool { true }

    init(_ name: String, _ kind: Kind, _ summary: String = "") {
        self.name = name
        self.kind = kind
        self.summary = summary
    }
}

/// What a field says of itself, whatever it holds.
protocol DescribedField: Sendable {
    associatedtype Kind: FieldKind
    var name: String { get }
    var kind: Kind { get }
    var summary: String { get }
    var isRequired: Bool { get }
}

extension DescribedField {
    /// The JSON schema of its value.
    var schema: JSONValue { kind.schema.described(summary) }

    /// The JSON schema of its parts in a form.
    var formSchema: JSONValue { kind.formSchema.described(summary) }

    /// Refuses a value that nobody reads, where it asks for something.
    func check(_ value: JSONValue, _ name: String) throws(RequestFailure) { try kind.check(value, name) }
}

/// What fields hold.
protocol FieldKind: Sendable {
    associatedtype Value: Sendable

    var schema: JSONValue { get }
    var formSchema: JSONValue { get }

    /// The value in a JSON object, which is not null. Throws a failure that names the field.
    func value(of json: JSONValue, _ name: String) throws(RequestFailure) -> Value

    /// The value of the parts of a form that have the field's name, one at least. Throws a failure that names the field.
    func value(of parts: [MultipartForm.Part], _ name: String) throws(RequestFailure) -> Value

    /// Refuses a value in a JSON object that nobody reads, where it asks for something.
    func check(_ value: JSONValue, _ name: String) throws(RequestFailure)
}

extension FieldKind {
    var formSchema: JSONValue { schema }

    func value(of parts: [MultipartForm.Part], _ name: String) throws(RequestFailure) -> Value {
        throw .invalid(name, "\(name) is read in JSON only.")
    }

    func check(_ value: JSONValue, _ name: String) throws(RequestFailure) {}

    func wrong(_ name: String, _ expected: String) -> RequestFailure {
        .invalid(name, "\(name) must be \(expected).")
    }
}

/// A kind whose values are texts in forms and queries.
protocol PlainFieldKind: FieldKind {
    func value(ofText text: String, _ name: String) throws(RequestFailure) -> Value
}

extension PlainFieldKind {
    func value(of parts: [MultipartForm.Part], _ name: String) throws(RequestFailure) -> Value {
        guard parts.count == 1 else { throw .invalid(name, "The field \"\(name)\" occurs twice.") }
        guard !parts[0].isFile else { throw .invalid(name, "\(name) is no file.") }
        return try value(ofText: MultipartForm.text(parts[0]), name)
    }
}

extension JSONValue {
    /// The schema with a description, where there is one.
    fileprivate func described(_ text: String) -> JSONValue {
        guard !text.isEmpty, let members else { return self }
        return .object(members.filter { $0.name != "description" } + [.init("description", .string(text))])
    }
}
