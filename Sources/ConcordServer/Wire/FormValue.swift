import ConcordCore

/// Reads values of forms and of queries, which are all texts.
enum FormValue {
    static func integer(
        _ form: MultipartForm, _ name: String, in range: ClosedRange<Int>
    ) throws(RequestFailure) -> Int? {
        try form.text(name).map { text throws(RequestFailure) in try integer(text, name, in: range) }
    }

    static func integer(_ text: String, _ name: String, in range: ClosedRange<Int>) throws(RequestFailure) -> Int {
        guard let number = Int(text.trimmed), range.contains(number) else {
            throw .invalid(name, "\(name) must be a whole number in \(range.lowerBound)…\(range.upperBound).")
        }
        return number
    }

    static func flag(_ form: MultipartForm, _ name: String) throws(RequestFailure) -> Bool? {
        try form.text(name).map { text throws(RequestFailure) in try flag(text, name) }
    }

    static func flag(_ text: String, _ name: String) throws(RequestFailure) -> Bool {
        switch text.trimmed.lowercased() {
        case "true", "1", "on", "yes": return true
        case "false", "0", "off", "no", "": return false
        default: throw .invalid(name, "\(name) must be true or false.")
        }
    }

    static func choice<Value>(
        _ form: MultipartForm, _ name: String, _ choices: KeyValuePairs<String, Value>
    ) throws(RequestFailure) -> Value? {
        guard let text = try form.text(name) else { return nil }
        guard let choice = choices.first(where: { $0.key == text }) else {
            throw .invalid(name, "\(name) must be one of \(choices.map { "\"\($0.key)\"" }.joined(separator: ", ")).")
        }
        return choice.value
    }
}
