import ConcordCore

/// The members of a JSON object in a file, read one by one with errors that name the file, the member and the value.
package struct JSONFields {
    package let path: String
    /// Prefix of a member's name in errors: `text_config.` or nothing.
    let prefix: String
    private let document: JSONValue

    /// Throws `.invalidConfiguration` unless `value` is an object without repeated members.
    package init(_ value: JSONValue, path: String, prefix: String = "") throws(ConcordError) {
        self.path = path
        self.prefix = prefix
        document = value
        let place = prefix.isEmpty ? path : "`\(prefix.dropLast())` of \(path)"
        guard let members = value.members else {
            throw ConcordError(.invalidConfiguration, "\(place) must be an object, not \(Self.shown(value))")
        }
        var names = Set<[UInt8]>()
        for member in members where !names.insert(Array(member.name.utf8)).inserted {
            throw failure(member.name, "appears twice; remove one")
        }
    }

    package func failure(_ name: String, _ problem: String) -> ConcordError {
        ConcordError(.invalidConfiguration, "`\(prefix)\(name)` in \(path) \(problem)")
    }

    /// A member's value; nil when it is absent or null.
    package subscript(name: String) -> JSONValue? {
        guard let value = document[name], !value.isNull else { return Optional.none }
        return value
    }

    /// Whether the member is present and null.
    package func holdsNull(_ name: String) -> Bool { document[name] == .null }

    /// The names of all members, in the document's order.
    package var names: [String] { (document.members ?? []).map(\.name) }

    /// The members of an object within; none when it is absent.
    package func object(_ name: String) throws(ConcordError) -> JSONFields {
        try JSONFields(self[name] ?? .object([]), path: path, prefix: prefix + name + ".")
    }

    package func integer(
        _ name: String, default standard: Int? = nil, in range: ClosedRange<Int> = 0...Int.max
    ) throws(ConcordError) -> Int {
        guard let value = try value(name, default: standard.map(JSONValue.integer)).int else {
            throw wrong(name, "a whole number")
        }
        guard range.contains(value) else {
            let limits = range.upperBound == .max ? "at least \(range.lowerBound)" : "within \(range)"
            throw failure(name, "is \(value), but must be \(limits)")
        }
        return value
    }

    package func number(_ name: String, default standard: Double? = nil) throws(ConcordError) -> Double {
        guard let value = try value(name, default: standard.map(JSONValue.number)).double, value.isFinite else {
            throw wrong(name, "a number")
        }
        return value
    }

    package func boolean(_ name: String, default standard: Bool? = nil) throws(ConcordError) -> Bool {
        guard let value = try value(name, default: standard.map(JSONValue.bool)).bool else {
            throw wrong(name, "true or false")
        }
        return value
    }

    /// A number; nil when it is absent or null.
    package func optionalNumber(_ name: String) throws(ConcordError) -> Double? {
        self[name] == nil ? nil : try number(name)
    }

    /// The side of a square: a whole number, or two equal ones.
    package func side(_ name: String, default standard: Int? = nil) throws(ConcordError) -> Int {
        guard let pair = self[name]?.elements else { return try integer(name, default: standard) }
        let sides = pair.compactMap(\.int)
        guard sides.count == 2, pair.count == 2 else { throw wrong(name, "a whole number or two") }
        guard sides[0] == sides[1], sides[0] >= 0 else {
            throw failure(name, "is \(sides[0]) × \(sides[1]); only squares are supported")
        }
        return sides[0]
    }

    package func string(_ name: String, default standard: String? = nil) throws(ConcordError) -> String {
        guard let value = try value(name, default: standard.map(JSONValue.string)).string else {
            throw wrong(name, "a string")
        }
        return value
    }

    /// One of a closed set of strings.
    package func choice<Choice: RawRepresentable & CaseIterable>(
        _ name: String, default standard: Choice? = nil, among choices: [Choice] = Array(Choice.allCases)
    ) throws(ConcordError) -> Choice where Choice.RawValue == String {
        let text = try string(name, default: standard?.rawValue)
        guard let choice = choices.first(where: { $0.rawValue == text }) else {
            let known = choices.map(\.rawValue).joined(separator: ", ")
            throw failure(name, "is `\(text)`, which is not supported; known are: \(known)")
        }
        return choice
    }

    /// Throws `.invalidConfiguration`, with a reason, for a member that has any value but those that change nothing.
    ///
    /// Absent, null and false change nothing.
    package func refuse(_ name: String, allowing harmless: [JSONValue] = [], _ reason: String) throws(ConcordError) {
        guard let value = self[name], value != .bool(false), !harmless.contains(value) else { return }
        throw failure(name, "is \(Self.shown(value)); \(reason)")
    }

    /// Throws `.invalidConfiguration` for a member that is not in `names`, with the nearest that is.
    package func refuseUnknown(_ names: [String]) throws(ConcordError) {
        for name in self.names where !names.contains(name) {
            let near = NearestName.suggestion(for: name, among: names).map { "; did you mean `\($0)`?" }
            throw failure(name, "is not known" + (near ?? "; known are: " + names.joined(separator: ", ")))
        }
    }

    private func value(_ name: String, default standard: JSONValue?) throws(ConcordError) -> JSONValue {
        guard let value = self[name] ?? standard else { throw failure(name, "is missing") }
        return value
    }

    private func wrong(_ name: String, _ kind: String) -> ConcordError {
        failure(name, "must be \(kind), not \(Self.shown(self[name] ?? .null))")
    }

    private static func shown(_ value: JSONValue) -> String {
        // JSON has no text for what Python writes as NaN and Infinity.
        if let number = value.double, !number.isFinite { return NumberText.fixed(number, decimals: 0) }
        let text = value.text()
        return text.utf8.count > 60 ? text.prefix(57) + "…" : text
    }
}
