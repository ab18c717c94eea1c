import ConcordCore

/// The members of a JSON object in a request, read by name and type with errors for the client, not one of which names a
/// file; `null` is as if it were not there. (`JSONFields` reads the objects in files of a model.)
struct RequestFields {
    private let members: [String: JSONValue]
    private let path: String

    /// - Parameters:
    ///   - path: what the object is called in errors; empty for the whole body.
    ///   - known: the names that may occur. Others are refused, since what they ask for would not happen.
    init(_ value: JSONValue, path: String = "", known: Set<String>) throws(RequestFailure) {
        guard let list = value.members else {
            throw .invalid(path.isEmpty ? nil : path, "\(path.isEmpty ? "The body" : path) must be a JSON object.")
        }
        var members: [String: JSONValue] = [:]
        for member in list {
            let name = path.isEmpty ? member.name : "\(path).\(member.name)"
            guard known.contains(member.name) else { throw .unknown(name, known: known) }
            guard members.updateValue(member.value, forKey: member.name) == nil else {
                throw .invalid(name, "The field \"\(name)\" occurs twice.")
            }
        }
        self.members = members
        self.path = path
    }

    /// The field's full name, for errors.
    func name(_ field: String) -> String { path.isEmpty ? field : "\(path).\(field)" }

    subscript(_ field: String) -> JSONValue? {
        guard let value = members[field], !value.isNull else { return nil }
        return value
    }

    func text(_ field: String) throws(RequestFailure) -> String? {
        guard let value = self[field] else { return nil }
        guard let text = value.string else { throw wrong(field, "a string") }
        return text
    }

    func requiredText(_ field: String) throws(RequestFailure) -> String {
        guard let text = try text(field) else { throw .missing(name(field)) }
        return text
    }

    func flag(_ field: String) throws(RequestFailure) -> Bool? {
        guard let value = self[field] else { return nil }
        guard let flag = value.bool else { throw wrong(field, "true or false") }
        return flag
    }

    func integer(_ field: String, in range: ClosedRange<Int>) throws(RequestFailure) -> Int? {
        guard let value = self[field] else { return nil }
        guard let number = value.int, range.contains(number) else {
            throw wrong(field, "a whole number in \(range.lowerBound)…\(range.upperBound)")
        }
        return number
    }

    func number(_ field: String, in range: ClosedRange<Double>) throws(RequestFailure) -> Double? {
        guard let value = self[field] else { return nil }
        guard let number = value.double, range.contains(number) else {
            throw wrong(field, "a number in \(range.lowerBound)…\(range.upperBound)")
        }
        return number
    }

    /// The value of one of `choices`.
    func choice<Value>(_ field: String, _ choices: KeyValuePairs<String, Value>) throws(RequestFailure) -> Value? {
        guard let text = try text(field) else { return nil }
        guard let choice = choices.first(where: { $0.key == text }) else {
            throw wrong(field, "one of " + choices.map { "\"\($0.key)\"" }.joined(separator: ", "))
        }
        return choice.value
    }

    func list(_ field: String, maximum: Int) throws(RequestFailure) -> [JSONValue]? {
        guard let value = self[field] else { return nil }
        guard let elements = value.elements else { throw wrong(field, "an array") }
        guard elements.count <= maximum else {
            throw .invalid(
                name(field), "\(name(field)) has \(elements.count) entries; \(maximum) are allowed.", code: "too_many")
        }
        return elements
    }

    /// Not empty strings.
    func texts(_ field: String, maximum: Int) throws(RequestFailure) -> [String]? {
        guard let elements = try list(field, maximum: maximum) else { return nil }
        var texts: [String] = []
        for (index, element) in elements.enumerated() {
            guard let text = element.string, !text.isEmpty else {
                throw .invalid(
                    "\(name(field))[\(index)]", "\(name(field))[\(index)] must be a string with a character.")
            }
            texts.append(text)
        }
        return texts
    }

    func wrong(_ field: String, _ expected: String) -> RequestFailure {
        .invalid(name(field), "\(name(field)) must be \(expected).")
    }
}
