import Foundation

extension JSONValue {
    /// Reads one JSON document (RFC 8259) from UTF-8 bytes.
    ///
    /// - Parameters:
    ///   - bytes: the whole document; a byte-order mark is refused, as the standard allows.
    ///   - source: what to call the document in an error, a path as a rule.
    /// - Throws: `.malformedText` with the byte offset, for anything that is not JSON: also invalid UTF-8, nesting
    ///   deeper than 128, and text after the document.
    public init(parsing bytes: some Collection<UInt8>, source: String) throws(ConcordError) {
        let storage = Array(bytes)
        var parser = JSONParser(bytes: storage, source: source)
        self = try parser.document()
    }

    /// Reads one JSON document from a string.
    public init(parsing text: String, source: String = "JSON") throws(ConcordError) {
        try self.init(parsing: Array(text.utf8), source: source)
    }
}

private struct JSONParser {
    let bytes: [UInt8]
    let source: String
    var position = 0
    private let maximumDepth = 128

    init(bytes: [UInt8], source: String) {
        self.bytes = bytes
        self.source = source
    }

    mutating func document() throws(ConcordError) -> JSONValue {
        let value = try value(depth: 0)
        skipWhitespace()
        guard position == bytes.count else { throw failure("text after the end of the document") }
        return value
    }

    private func failure(_ problem: String) -> ConcordError {
        ConcordError(.malformedText, "\(source) is not valid JSON: \(problem) at byte \(position)")
    }

    private mutating func skipWhitespace() {
        while position < bytes.count, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[position]) { position += 1 }
    }

    private mutating func value(depth: Int) throws(ConcordError) -> JSONValue {
        guard depth < maximumDepth else { throw failure("nesting deeper than \(maximumDepth)") }
        skipWhitespace()
        guard position < bytes.count else { throw failure("the text ends where a value should be") }
        switch bytes[position] {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        default: return try number()
        }
    }

    private mutating func literal(_ word: StaticString, _ value: JSONValue) throws(ConcordError) -> JSONValue {
        let end = position + word.utf8CodeUnitCount
        guard end <= bytes.count, bytes[position..<end].elementsEqual("\(word)".utf8) else {
            throw failure("an unknown word")
        }
        position = end
        return value
    }

    private mutating func object(depth: Int) throws(ConcordError) -> JSONValue {
        position += 1
        var members = [JSONValue.Member]()
        skipWhitespace()
        if take("}") { return .object([]) }
        while true {
            skipWhitespace()
            guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
                throw failure("a member name in quotes was expected")
            }
            let name = try string()
            skipWhitespace()
            guard take(":") else { throw failure("a colon was expected") }
            members.append(.init(name, try value(depth: depth + 1)))
            skipWhitespace()
            if take("}") { return .object(members) }
            guard take(",") else { throw failure("a comma or a closing brace was expected") }
        }
    }

    private mutating func array(depth: Int) throws(ConcordError) -> JSONValue {
        position += 1
        var elements = [JSONValue]()
        skipWhitespace()
        if take("]") { return .array([]) }
        while true {
            elements.append(try value(depth: depth + 1))
            skipWhitespace()
            if take("]") { return .array(elements) }
            guard take(",") else { throw failure("a comma or a closing bracket was expected") }
        }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func string() throws(ConcordError) -> String {
        position += 1
        let start = position
        // Most strings have no escape: find the closing quote and take the bytes as they are.
        while position < bytes.count, bytes[position] != 0x22, bytes[position] != 0x5C, bytes[position] >= 0x20 {
            position += 1
        }
        var content = [UInt8](bytes[start..<position])
        while true {
            guard position < bytes.count else { throw failure("a string without a closing quote") }
            let byte = bytes[position]
            switch byte {
            case 0x22:
                position += 1
                guard let text = String(validating: content, as: UTF8.self) else {
                    throw failure("a string that is not UTF-8, ending")
                }
                return text
            case 0x5C: try escape(into: &content)
            case 0..<0x20: throw failure("a raw control character in a string")
            default:
                content.append(byte)
                position += 1
            }
        }
    }

    private mutating func escape(into content: inout [UInt8]) throws(ConcordError) {
        position += 1
        guard position < bytes.count else { throw failure("a string that ends in a backslash") }
        let kind = bytes[position]
        position += 1
        switch kind {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): content.append(kind)
        case UInt8(ascii: "b"): content.append(0x08)
        case UInt8(ascii: "f"): content.append(0x0C)
        case UInt8(ascii: "n"): content.append(0x0A)
        case UInt8(ascii: "r"): content.append(0x0D)
        case UInt8(ascii: "t"): content.append(0x09)
        case UInt8(ascii: "u"):
            var scalar = UInt32(try hexadecimal())
            if (0xD800..<0xDC00).contains(scalar) {
                guard take("\\"), take("u") else { throw failure("a lone high surrogate") }
                let low = UInt32(try hexadecimal())
                guard (0xDC00..<0xE000).contains(low) else { throw failure("a lone high surrogate") }
                scalar = 0x10000 + (scalar - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let character = Unicode.Scalar(scalar) else { throw failure("a lone low surrogate") }
            content += Array(String(Character(character)).utf8)
        default: throw failure("an unknown escape")
        }
    }

    private mutating func hexadecimal() throws(ConcordError) -> UInt16 {
        guard position + 4 <= bytes.count,
            bytes[position..<position + 4].allSatisfy({ Unicode.Scalar($0).properties.isASCIIHexDigit }),
            let value = UInt16(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
        else { throw failure("four hexadecimal digits were expected") }
        position += 4
        return value
    }

    private mutating func number() throws(ConcordError) -> JSONValue {
        let start = position
        func isDigit(_ index: Int) -> Bool {
            index < bytes.count && (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[index])
        }
        _ = take("-")
        let firstDigit = position
        guard isDigit(position) else { throw failure("a value was expected") }
        while isDigit(position) { position += 1 }
        guard bytes[firstDigit] != UInt8(ascii: "0") || position == firstDigit + 1 else {
            throw failure("a number with a leading zero")
        }
        var isInteger = true
        if take(".") {
            isInteger = false
            guard isDigit(position) else { throw failure("a digit after the decimal point was expected") }
            while isDigit(position) { position += 1 }
        }
        if take("e") || take("E") {
            isInteger = false
            if !take("+") { _ = take("-") }
            guard isDigit(position) else { throw failure("a digit of the exponent was expected") }
            while isDigit(position) { position += 1 }
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isInteger, let integer = Int(text) { return .integer(integer) }
        guard let number = Double(text), number.isFinite else { throw failure("a number out of range") }
        return .number(number)
    }
}
