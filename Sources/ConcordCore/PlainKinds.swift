// The kinds of plain values. What reads one also describes it, and knows what to say of a value that is none.

/// A kind of value that a field holds: in JSON, and as a text in forms, queries and headers.
package protocol PlainKind: Sendable {
    associatedtype Value: Sendable

    /// The JSON schema of a value.
    var schema: JSONValue { get }

    /// The value in JSON, which is not null.
    func value(of json: JSONValue) throws(FieldProblem) -> Value
    /// The value that a text stands for.
    func value(ofText text: String) throws(FieldProblem) -> Value
}

package struct TextKind: PlainKind {
    package init() {}

    package var schema: JSONValue { ["type": "string"] }

    package func value(of json: JSONValue) throws(FieldProblem) -> String {
        guard let text = json.string else { throw .wrong(expected: "a string", found: json) }
        return text
    }

    package func value(ofText text: String) throws(FieldProblem) -> String { text }
}

/// A text with a character at least.
package struct FilledTextKind: PlainKind {
    package init() {}

    package var schema: JSONValue { ["type": "string", "minLength": 1] }

    package func value(of json: JSONValue) throws(FieldProblem) -> String {
        guard let text = json.string, !text.isEmpty else {
            throw .wrong(expected: "a string with a character", found: json)
        }
        return text
    }

    package func value(ofText text: String) throws(FieldProblem) -> String { try value(of: .string(text)) }
}

package struct FlagKind: PlainKind {
    package init() {}

    package var schema: JSONValue { ["type": "boolean"] }

    package func value(of json: JSONValue) throws(FieldProblem) -> Bool {
        guard let flag = json.bool else { throw .wrong(expected: "true or false", found: json) }
        return flag
    }

    package func value(ofText text: String) throws(FieldProblem) -> Bool {
        switch text.trimmed.lowercased() {
        case "true", "1", "on", "yes": return true
        case "false", "0", "off", "no": return false
        default: throw .wrong(expected: "true or false", found: .string(text))
        }
    }
}

package struct IntegerKind: PlainKind {
    package let range: ClosedRange<Int>

    package init(range: ClosedRange<Int>) { self.range = range }

    private var isOpen: Bool { range.upperBound == .max }

    package var schema: JSONValue {
        let minimum: [JSONValue.Member] = [.init("type", "integer"), .init("minimum", .integer(range.lowerBound))]
        return .object(minimum + (isOpen ? [] : [.init("maximum", .integer(range.upperBound))]))
    }

    package func value(of json: JSONValue) throws(FieldProblem) -> Int { try checked(json.int, json) }

    package func value(ofText text: String) throws(FieldProblem) -> Int {
        try checked(Int(text.trimmed), .string(text))
    }

    private func checked(_ number: Int?, _ found: JSONValue) throws(FieldProblem) -> Int {
        guard let number, range.contains(number) else {
            let limits = isOpen ? "from \(range.lowerBound)" : "in \(range.lowerBound)…\(range.upperBound)"
            throw .wrong(expected: "a whole number \(limits)", found: found)
        }
        return number
    }
}

/// A finite number.
package struct NumberKind: PlainKind {
    /// Nil for all of them.
    package let range: ClosedRange<Double>?

    package init(range: ClosedRange<Double>? = nil) { self.range = range }

    package var schema: JSONValue {
        let limits = range.map {
            [JSONValue.Member("minimum", .number($0.lowerBound)), .init("maximum", .number($0.upperBound))]
        }
        return .object([.init("type", "number")] + (limits ?? []))
    }

    package func value(of json: JSONValue) throws(FieldProblem) -> Double { try checked(json.double, json) }

    package func value(ofText text: String) throws(FieldProblem) -> Double {
        try checked(Double(text.trimmed), .string(text))
    }

    private func checked(_ number: Double?, _ found: JSONValue) throws(FieldProblem) -> Double {
        guard let number, number.isFinite, range?.contains(number) ?? true else {
            let limits = range.map { " in \($0.lowerBound)…\($0.upperBound)" } ?? ""
            throw .wrong(expected: "a number\(limits)", found: found)
        }
        return number
    }
}

/// One of some words, each with what it stands for.
package struct ChoiceKind<Value: Sendable>: PlainKind {
    package let choices: [(word: String, value: Value)]

    package init(_ choices: [(word: String, value: Value)]) { self.choices = choices }

    package var schema: JSONValue { ["type": "string", "enum": .array(choices.map { .string($0.word) })] }

    package func value(of json: JSONValue) throws(FieldProblem) -> Value {
        guard let text = json.string else { throw .wrong(expected: "a string", found: json) }
        return try value(ofText: text)
    }

    package func value(ofText text: String) throws(FieldProblem) -> Value {
        guard let choice = choices.first(where: { $0.word == text }) else {
            throw .unknownChoice(text, known: choices.map(\.word))
        }
        return choice.value
    }
}
