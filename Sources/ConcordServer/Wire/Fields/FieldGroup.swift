import ConcordCore

/// The fields of a kind of object in requests, as stored properties of type ``Field`` and ``RequiredField``.
protocol FieldGroup: Sendable {
    static var definition: FieldDefinition<Self> { get }
    /// Whether fields that the group does not know are passed over; they are refused otherwise.
    static var isOpen: Bool { get }
}

extension FieldGroup {
    static var isOpen: Bool { false }
}

/// What is known of a group's fields. They are found in the group's type, so that each that can be read is described.
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
