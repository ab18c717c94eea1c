import ConcordCore

/// The fields of one object in a request, read by the group that describes them; `null` and, in forms, an empty text are
/// as if they were not there.
struct RequestFields<Group: FieldGroup>: Sendable {
    private enum Content: Sendable {
        case json(FieldReader<ServingError>)
        case parts([MultipartForm.Part])
    }

    private let content: Content
    private let path: String

    /// The members of a JSON object. Throws an error for a name that the group does not know, since what it asks for would
    /// not happen.
    ///
    /// - Parameter path: what the object is called in errors; empty for the whole body.
    init(_ value: JSONValue, path: String = "") throws(ServingError) {
        let definition = Group.definition
        let prefix = path.isEmpty ? "" : path + "."
        // Clients send null for what they know and do not use, also for what is newer than this server.
        let members = value.members?.filter { definition.byName[$0.name] != nil || !($0.value.isNull || Group.isOpen) }
        let reader = try FieldReader<ServingError>(members.map(JSONValue.object) ?? value, prefix: prefix)
        try reader.refuseUnknown(definition.names)
        for member in members ?? [] where !member.value.isNull {
            try definition.byName[member.name]?.check(member.value, reader.place(of: member.name).name)
        }
        content = .json(reader)
        self.path = path
    }

    /// The parts of a form.
    init(_ form: MultipartForm) throws(ServingError) { try self.init(parts: form.parts, except: []) }

    /// The values of a query.
    ///
    /// - Parameter except: fields of the group that come from elsewhere.
    init(query: [String: String], except: Set<String>) throws(ServingError) {
        try self.init(
            parts: query.map { MultipartForm.Part(name: $0.key, isFile: false, bytes: Array($0.value.utf8)) },
            except: except)
    }

    private init(parts: [MultipartForm.Part], except: Set<String>) throws(ServingError) {
        let definition = Group.definition
        for part in parts where definition.byName[part.name] == nil || except.contains(part.name) {
            throw ServingError(.unknown(known: definition.names), at: FieldPlace(part.name))
        }
        content = .parts(parts)
        path = ""
    }

    /// The value of a field; `nil` where it is not there.
    func value<Kind>(_ field: KeyPath<Group, Field<Kind>>) throws(ServingError) -> Kind.Value? {
        let field = Group.definition.group[keyPath: field]
        return try value(field.kind, field.name)
    }

    /// The value of a field that must be there.
    func value<Kind>(_ field: KeyPath<Group, RequiredField<Kind>>) throws(ServingError) -> Kind.Value {
        let field = Group.definition.group[keyPath: field]
        guard let value = try value(field.kind, field.name) else { throw .missing(Self.name(field.name, in: path)) }
        return value
    }

    /// The parts of a form for fields whose order among each other matters.
    func parts(_ fields: PartialKeyPath<Group>...) -> [MultipartForm.Part] {
        guard case .parts(let parts) = content else { return [] }
        let names = Set(fields.compactMap { (Group.definition.group[keyPath: $0] as? any DescribedField)?.name })
        return parts.filter { names.contains($0.name) }
    }

    func name<Kind>(_ field: KeyPath<Group, Field<Kind>>) -> String {
        Self.name(Group.definition.group[keyPath: field].name, in: path)
    }

    func name<Kind>(_ field: KeyPath<Group, RequiredField<Kind>>) -> String {
        Self.name(Group.definition.group[keyPath: field].name, in: path)
    }

    private func value<Kind: FieldKind>(_ kind: Kind, _ name: String) throws(ServingError) -> Kind.Value? {
        switch content {
        case .json(let reader):
            guard let value = reader[name] else { return nil }
            return try kind.value(of: value, Self.name(name, in: path))
        case .parts(let parts):
            let own = parts.filter { $0.name == name && ($0.isFile || !$0.bytes.isEmpty) }
            return own.isEmpty ? nil : try kind.value(of: own, name)
        }
    }

    /// The field's full name, for errors.
    private static func name(_ field: String, in path: String) -> String { path.isEmpty ? field : "\(path).\(field)" }
}

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

/// The description of a field, whatever it holds.
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
    func check(_ value: JSONValue, _ name: String) throws(ServingError) { try kind.check(value, name) }
}

/// The kind of value that a field holds.
protocol FieldKind: Sendable {
    associatedtype Value: Sendable

    var schema: JSONValue { get }
    var formSchema: JSONValue { get }

    /// The value in a JSON object, which is not null. Throws an error that names the field.
    func value(of json: JSONValue, _ name: String) throws(ServingError) -> Value

    /// The value of the parts of a form that have the field's name, one at least. Throws an error that names the field.
    func value(of parts: [MultipartForm.Part], _ name: String) throws(ServingError) -> Value

    /// Refuses a value in a JSON object that nobody reads, where it asks for something.
    func check(_ value: JSONValue, _ name: String) throws(ServingError)
}

extension FieldKind {
    var formSchema: JSONValue { schema }

    func value(of parts: [MultipartForm.Part], _ name: String) throws(ServingError) -> Value {
        throw .invalid(name, "\(name) is read in JSON only.")
    }

    func check(_ value: JSONValue, _ name: String) throws(ServingError) {}

    func wrong(_ name: String, _ expected: String, _ found: JSONValue) -> ServingError {
        ServingError(.wrong(expected: expected, found: found), at: FieldPlace(name))
    }
}

/// A kind whose values are texts in forms, queries and headers.
protocol PlainFieldKind: FieldKind, PlainKind {}

extension PlainFieldKind {
    func value(of json: JSONValue, _ name: String) throws(ServingError) -> Value {
        do throws(FieldProblem) { return try value(of: json) } catch { throw ServingError(error, at: FieldPlace(name)) }
    }

    func value(ofText text: String, _ name: String) throws(ServingError) -> Value {
        do throws(FieldProblem) { return try value(ofText: text) } catch {
            throw ServingError(error, at: FieldPlace(name))
        }
    }

    func value(of parts: [MultipartForm.Part], _ name: String) throws(ServingError) -> Value {
        guard parts.count == 1 else { throw ServingError(.repeated, at: FieldPlace(name)) }
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

/// The fields of a kind of object in requests, as stored properties of type ``Field`` and ``RequiredField``.
protocol FieldGroup: Sendable {
    static var definition: FieldDefinition<Self> { get }
    /// Ignores fields that the group does not know; otherwise they are refused.
    static var isOpen: Bool { get }
}

extension FieldGroup {
    static var isOpen: Bool { false }
}

/// The fields of a group, found in its type, so that each field that can be read is described.
struct FieldDefinition<Group: FieldGroup>: Sendable {
    let group: Group
    let fields: [any DescribedField]
    let byName: [String: any DescribedField]

    init(_ group: Group) {
        self.group = group
        fields = Mirror(reflecting: group).children.map { property in
            guard let field = property.value as? any DescribedField else {
                preconditionFailure("\(Group.self).\(property.label ?? "") is no field")
            }
            return field
        }
        byName = Dictionary(fields.map { ($0.name, $0) }) { first, _ in
            preconditionFailure("\(Group.self) has the field \(first.name) twice")
        }
    }

    var names: [String] { fields.map(\.name) }

    /// The JSON schema of the object.
    var schema: JSONValue { object { $0.schema } }

    /// The JSON schema of the form.
    var formSchema: JSONValue { object { $0.formSchema } }

    private func object(_ schema: (any DescribedField) -> JSONValue) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init("type", "object"), .init("properties", .object(fields.map { .init($0.name, schema($0)) })),
        ]
        let required = fields.filter(\.isRequired).map { JSONValue.string($0.name) }
        if !required.isEmpty { members.append(.init("required", .array(required))) }
        return .object(members + [.init("additionalProperties", .bool(Group.isOpen))])
    }
}
