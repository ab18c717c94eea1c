import ConcordCore

/// The fields of one object in a request, read by the group that describes them; `null` and, in forms, an empty text are
/// as if they were not there. (`JSONFields` reads the objects in files of a model.)
struct RequestFields<Group: FieldGroup>: Sendable {
    private enum Content: Sendable {
        case json([String: JSONValue])
        case parts([MultipartForm.Part])
    }

    private let content: Content
    private let path: String

    /// The members of a JSON object. Throws a failure for a name that the group does not know, since what it asks for would
    /// not happen.
    ///
    /// - Parameter path: what the object is called in errors; empty for the whole body.
    init(_ value: JSONValue, path: String = "") throws(RequestFailure) {
        guard let list = value.members else {
            throw .invalid(path.isEmpty ? nil : path, "\(path.isEmpty ? "The body" : path) must be a JSON object.")
        }
        let definition = Group.definition
        var members: [String: JSONValue] = [:]
        for member in list {
            guard let field = definition.byName[member.name] else {
                // Clients send null for what they know and do not use, also for what is newer than this server.
                if member.value.isNull || Group.isOpen { continue }
                throw .unknown(Self.name(member.name, in: path), known: definition.names)
            }
            guard members.updateValue(member.value, forKey: member.name) == nil else {
                let name = Self.name(member.name, in: path)
                throw .invalid(name, "The field \"\(name)\" occurs twice.")
            }
            if !member.value.isNull { try field.check(member.value, Self.name(member.name, in: path)) }
        }
        content = .json(members)
        self.path = path
    }

    /// The parts of a form.
    init(_ form: MultipartForm) throws(RequestFailure) { try self.init(parts: form.parts, except: []) }

    /// The values of a query.
    ///
    /// - Parameter except: fields of the group that come from elsewhere.
    init(query: [String: String], except: Set<String>) throws(RequestFailure) {
        try self.init(
            parts: query.map { MultipartForm.Part(name: $0.key, isFile: false, bytes: Array($0.value.utf8)) },
            except: except)
    }

    private init(parts: [MultipartForm.Part], except: Set<String>) throws(RequestFailure) {
        let definition = Group.definition
        for part in parts where definition.byName[part.name] == nil || except.contains(part.name) {
            throw .unknown(part.name, known: definition.names)
        }
        content = .parts(parts)
        path = ""
    }

    /// The value of a field; nil where it is not there.
    func value<Kind>(_ field: KeyPath<Group, Field<Kind>>) throws(RequestFailure) -> Kind.Value? {
        let field = Group.definition.group[keyPath: field]
        return try value(field.kind, field.name)
    }

    /// The value of a field that must be there.
    func value<Kind>(_ field: KeyPath<Group, RequiredField<Kind>>) throws(RequestFailure) -> Kind.Value {
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

    private func value<Kind: FieldKind>(_ kind: Kind, _ name: String) throws(RequestFailure) -> Kind.Value? {
        switch content {
        case .json(let members):
            guard let value = members[name], !value.isNull else { return nil }
            return try kind.value(of: value, Self.name(name, in: path))
        case .parts(let parts):
            let own = parts.filter { $0.name == name && ($0.isFile || !$0.bytes.isEmpty) }
            return own.isEmpty ? nil : try kind.value(of: own, name)
        }
    }

    /// The field's full name, for errors.
    private static func name(_ field: String, in path: String) -> String { path.isEmpty ? field : "\(path).\(field)" }
}
