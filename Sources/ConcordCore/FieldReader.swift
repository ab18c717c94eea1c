/// An error that says what is wrong with a field, in the words of whoever has to put it right: the owner of a file, or a
/// client of the service.
package protocol FieldError: Error {
    init(_ problem: FieldProblem, at place: FieldPlace)
}

/// A field's place in a document.
package struct FieldPlace: Sendable, Hashable {
    /// The file; empty for a request.
    package let path: String
    /// The names of the objects around the field, each with a dot behind it.
    private let prefix: String
    /// The name within its object; empty for the whole document.
    package let member: String

    package init(_ member: String, prefix: String = "", in path: String = "") {
        self.member = member
        self.prefix = prefix
        self.path = path
    }

    /// The name with those of the objects around it, as `text_config.width`.
    package var name: String { prefix + member }
}

/// What may be wrong with a field, whatever the document.
package enum FieldProblem: Error, Sendable, Hashable {
    case missing
    case repeated
    /// No field has the name.
    case unknown(known: [String])
    /// Another value than the field holds; `expected` goes on from "must be".
    case wrong(expected: String, found: JSONValue)
    /// A word that is none of those which the field may hold.
    case unknownChoice(String, known: [String])
}

/// The members of a JSON object, read one by one with errors that name the place, and what was expected there.
package struct FieldReader<Failure: FieldError>: Sendable {
    /// The file that errors name; empty for a request.
    package let path: String
    /// Prefix of a member's name in errors: `text_config.` or nothing.
    package let prefix: String
    private let json: JSONValue

    /// Throws for anything but an object, and for a member that is there twice.
    package init(_ value: JSONValue, path: String = "", prefix: String = "") throws(Failure) {
        self.path = path
        self.prefix = prefix
        json = value
        guard let members = value.members else {
            throw Failure(
                .wrong(expected: "an object", found: value), at: FieldPlace(String(prefix.dropLast()), in: path))
        }
        var names = Set<[UInt8]>()
        for member in members where !names.insert(Array(member.name.utf8)).inserted {
            throw failure(member.name, .repeated)
        }
    }

    package func failure(_ name: String, _ problem: FieldProblem) -> Failure { Failure(problem, at: place(of: name)) }

    package func place(of name: String) -> FieldPlace { FieldPlace(name, prefix: prefix, in: path) }

    /// A member's value; nil when it is absent or null.
    package subscript(name: String) -> JSONValue? {
        guard let value = json[name], !value.isNull else { return Optional.none }
        return value
    }

    /// Whether the member is present and null.
    package func holdsNull(_ name: String) -> Bool { json[name] == .null }

    /// The names of all members, in the document's order.
    package var names: [String] { (json.members ?? []).map(\.name) }

    /// The members of an object within; none when it is absent.
    package func object(_ name: String) throws(Failure) -> FieldReader {
        try FieldReader(self[name] ?? .object([]), path: path, prefix: prefix + name + ".")
    }

    /// A member's value as its kind reads it; nil when it is absent or null.
    package func value<Kind: PlainKind>(_ name: String, _ kind: Kind) throws(Failure) -> Kind.Value? {
        guard let value = self[name] else { return nil }
        do throws(FieldProblem) { return try kind.value(of: value) } catch { throw failure(name, error) }
    }

    /// A member's value as its kind reads it, where it is absent or null the default. Throws without a default.
    private func value<Kind: PlainKind>(
        _ name: String, _ kind: Kind, default standard: Kind.Value?
    ) throws(Failure) -> Kind.Value {
        guard let value = try value(name, kind) ?? standard else { throw failure(name, .missing) }
        return value
    }

    package func integer(
        _ name: String, default standard: Int? = nil, in range: ClosedRange<Int> = 0...Int.max
    ) throws(Failure) -> Int { try value(name, IntegerKind(range: range), default: standard) }

    package func number(_ name: String, default standard: Double? = nil) throws(Failure) -> Double {
        try value(name, NumberKind(), default: standard)
    }

    /// A number; nil when it is absent or null.
    package func optionalNumber(_ name: String) throws(Failure) -> Double? { try value(name, NumberKind()) }

    package func boolean(_ name: String, default standard: Bool? = nil) throws(Failure) -> Bool {
        try value(name, FlagKind(), default: standard)
    }

    package func string(_ name: String, default standard: String? = nil) throws(Failure) -> String {
        try value(name, TextKind(), default: standard)
    }

    /// One of a closed set of words.
    package func choice<Choice: RawRepresentable & CaseIterable & Sendable>(
        _ name: String, default standard: Choice? = nil, among choices: [Choice] = Array(Choice.allCases)
    ) throws(Failure) -> Choice where Choice.RawValue == String {
        try value(name, ChoiceKind(choices.map { ($0.rawValue, $0) }), default: standard)
    }

    /// Throws for a member that is not in `known`, with the nearest that is.
    package func refuseUnknown(_ known: [String]) throws(Failure) {
        for name in names where !known.contains(name) { throw failure(name, .unknown(known: known)) }
    }
}

/// The fields of an object in a file.
package typealias JSONFields = FieldReader<ConcordError>

extension JSONFields {
    /// An error of this reader's, with a problem that goes on from the member's name.
    package func failure(_ name: String, _ problem: String) -> ConcordError {
        ConcordError(.invalidConfiguration, "\(place(of: name)) \(problem)")
    }

    /// The side of a square: a whole number, or two equal ones.
    package func side(_ name: String, default standard: Int? = nil) throws(ConcordError) -> Int {
        guard let value = self[name], let pair = value.elements else { return try integer(name, default: standard) }
        let sides = pair.compactMap(\.int)
        guard sides.count == 2, pair.count == 2 else {
            throw failure(name, .wrong(expected: "a whole number or two", found: value))
        }
        guard sides[0] == sides[1], sides[0] >= 0 else {
            throw failure(name, "is \(sides[0]) × \(sides[1]); only squares are supported")
        }
        return sides[0]
    }

    /// Throws `.invalidConfiguration`, with a reason, for a member that has any value but those that change nothing.
    ///
    /// Absent, null and false change nothing.
    package func refuse(_ name: String, allowing harmless: [JSONValue] = [], _ reason: String) throws(ConcordError) {
        guard let value = self[name], value != .bool(false), !harmless.contains(value) else { return }
        throw failure(name, "is \(value.shortened); \(reason)")
    }
}

extension FieldPlace: CustomStringConvertible {
    package var description: String { name.isEmpty ? path : "`\(name)` in \(path)" }
}

extension ConcordError: FieldError {
    /// `.invalidConfiguration`, which names the file, the member, its value, and what it should be.
    package init(_ problem: FieldProblem, at place: FieldPlace) {
        let text =
            switch problem {
            case .missing: "is missing"
            case .repeated: "appears twice; remove one"
            case .unknown(let known):
                "is not known; "
                    + (NearestName.suggestion(for: place.member, among: known).map { "did you mean `\($0)`?" }
                        ?? "known are: " + known.joined(separator: ", "))
            case .wrong(let expected, let found): "must be \(expected), not \(found.shortened)"
            case .unknownChoice(let word, let known):
                "is `\(word)`, which is not supported; known are: " + known.joined(separator: ", ")
            }
        self.init(.invalidConfiguration, "\(place) \(text)")
    }
}

extension JSONValue {
    /// The value as errors show it.
    fileprivate var shortened: String {
        // JSON has no text for what Python writes as NaN and Infinity.
        if let number = double, !number.isFinite { return NumberText.fixed(number, decimals: 0) }
        let text = text()
        return text.utf8.count > 60 ? text.prefix(57) + "…" : text
    }
}
