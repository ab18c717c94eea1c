import ConcordCore

// What most fields hold. Errors are for the client; not one of them names a file.

// Those that ConcordCore reads and describes, from JSON and from texts.
extension TextKind: PlainFieldKind {}
extension FilledTextKind: PlainFieldKind {}
extension FlagKind: PlainFieldKind {}
extension IntegerKind: PlainFieldKind {}
extension NumberKind: PlainFieldKind {}
extension ChoiceKind: PlainFieldKind {}

/// Several of a kind, each of which is read when it is asked for: one that is wrong need not spoil the others.
struct ListKind<Element: FieldKind>: FieldKind {
    let element: Element
    let maximum: Int

    var schema: JSONValue { ["type": "array", "items": element.schema, "maxItems": .integer(maximum)] }
    var formSchema: JSONValue { ["type": "array", "items": element.formSchema, "maxItems": .integer(maximum)] }

    func value(of json: JSONValue, _ name: String) throws(ServingError) -> FieldList<Element> {
        guard let elements = json.elements else { throw wrong(name, "an array", json) }
        try check(count: elements.count, name)
        return FieldList(kind: element, name: name, content: .json(elements))
    }

    func value(of parts: [MultipartForm.Part], _ name: String) throws(ServingError) -> FieldList<Element> {
        try check(count: parts.count, name)
        return FieldList(kind: element, name: name, content: .parts(parts))
    }

    private func check(count: Int, _ name: String) throws(ServingError) {
        guard count <= maximum else {
            throw .invalid(name, "\(name) has \(count) entries; \(maximum) are allowed.", code: "too_many")
        }
    }
}

/// The entries of a list.
struct FieldList<Kind: FieldKind>: Sendable {
    fileprivate enum Content: Sendable {
        case json([JSONValue])
        case parts([MultipartForm.Part])
    }

    private let kind: Kind
    private let name: String
    private let content: Content

    fileprivate init(kind: Kind, name: String, content: Content) {
        self.kind = kind
        self.name = name
        self.content = content
    }

    var count: Int {
        switch content {
        case .json(let elements): elements.count
        case .parts(let parts): parts.count
        }
    }

    var isEmpty: Bool { count == 0 }

    /// The name of an entry in errors.
    func name(_ index: Int) -> String { "\(name)[\(index)]" }

    func value(_ index: Int) throws(ServingError) -> Kind.Value {
        switch content {
        case .json(let elements): try kind.value(of: elements[index], name(index))
        case .parts(let parts): try kind.value(of: [parts[index]], name(index))
        }
    }

    func values() throws(ServingError) -> [Kind.Value] {
        var values: [Kind.Value] = []
        values.reserveCapacity(count)
        for index in 0..<count { values.append(try value(index)) }
        return values
    }
}

/// An object with fields of its own.
struct ObjectKind<Group: FieldGroup>: FieldKind {
    var schema: JSONValue { Group.definition.schema }

    func value(of json: JSONValue, _ name: String) throws(ServingError) -> RequestFields<Group> {
        try RequestFields(json, path: name)
    }
}

/// An image: in JSON as a data URI, in base64 or by its address; in forms also as a file.
struct ImageKind: FieldKind {
    /// Takes base64 without `data:…;base64,` before it.
    var allowsBare = true

    var schema: JSONValue {
        [
            "type": "string",
            "description": .string(
                "A picture (JPEG, PNG, WebP or GIF) as a data URI" + (allowsBare ? ", in base64" : "")
                    + ", or by its http or https address where the server fetches pictures."),
        ]
    }
    var formSchema: JSONValue { ["type": "string", "format": "binary"] }

    func value(of json: JSONValue, _ name: String) throws(ServingError) -> ImageSource {
        guard let text = json.string else { throw wrong(name, "a string", json) }
        return try ImageText.source(text, parameter: name, allowsBare: allowsBare)
    }

    func value(of parts: [MultipartForm.Part], _ name: String) throws(ServingError) -> ImageSource {
        guard parts.count == 1 else {
            throw .invalid(name, "The form has \(parts.count) parts \"\(name)\"; send one.")
        }
        return try ImageText.source(parts[0], parameter: name)
    }
}

/// A field that is accepted and not used, since the response would be the same.
struct UnusedKind: FieldKind {
    let schema: JSONValue

    func value(of json: JSONValue, _ name: String) throws(ServingError) {}
    func value(of parts: [MultipartForm.Part], _ name: String) throws(ServingError) {}
}

/// A field that is accepted if it asks for nothing, and refused if it asks for something that would not happen.
struct NeutralKind: FieldKind {
    /// Values that ask for nothing, beside null.
    let values: [JSONValue]
    /// The error text for any other value.
    let problem: String

    var schema: JSONValue { ["enum": .array(values + [.null])] }

    func value(of json: JSONValue, _ name: String) throws(ServingError) {}

    func check(_ value: JSONValue, _ name: String) throws(ServingError) {
        // 0 and 0.0 are the same.
        let isNeutral = values.contains { $0 == value || ($0.double != nil && $0.double == value.double) }
        guard isNeutral else { throw .invalid(name, problem, code: "unsupported") }
    }
}

extension FieldKind where Self == TextKind { static var text: TextKind { TextKind() } }
extension FieldKind where Self == FlagKind { static var flag: FlagKind { FlagKind() } }
extension FieldKind where Self == ImageKind { static var image: ImageKind { ImageKind() } }

extension FieldKind where Self == IntegerKind {
    static func integer(in range: ClosedRange<Int>) -> IntegerKind { IntegerKind(range: range) }
    static func integer(from minimum: Int) -> IntegerKind { IntegerKind(range: minimum...Int.max) }
}

extension FieldKind where Self == NumberKind {
    static func number(in range: ClosedRange<Double>) -> NumberKind { NumberKind(range: range) }
}

extension FieldKind {
    static func choice<Value>(_ choices: KeyValuePairs<String, Value>) -> Self where Self == ChoiceKind<Value> {
        ChoiceKind(choices.map { ($0.key, $0.value) })
    }

    static func list<Element>(of element: Element, upTo maximum: Int) -> Self where Self == ListKind<Element> {
        ListKind(element: element, maximum: maximum)
    }

    static func object<Group>(_ group: Group.Type) -> Self where Self == ObjectKind<Group> { ObjectKind() }
}

extension FieldKind where Self == UnusedKind {
    static func unused(_ schema: JSONValue) -> UnusedKind { UnusedKind(schema: schema) }
}

extension FieldKind where Self == NeutralKind {
    /// - Parameters:
    ///   - values: those that ask for nothing; null always does.
    ///   - problem: what the client is told of others.
    static func only(_ values: [JSONValue], _ problem: String) -> NeutralKind {
        NeutralKind(values: values, problem: problem)
    }
}
