extension JSONValue {
    /// Reads one JSON document (RFC 8259) from UTF-8 bytes.
    ///
    /// - Parameters:
    ///   - bytes: the whole document; a byte-order mark in front is passed over, as the standard allows.
    ///   - source: the name of the document in an error, a path as a rule.
    /// - Throws: `.malformedText` with the byte offset, for anything that is not JSON: also invalid UTF-8, more than 128
    ///   levels, and text after the document.
    public init(parsing bytes: some Collection<UInt8>, source: String) throws(ConcordError) {
        try self.init(parsing: bytes, source: source, limits: .standard)
    }

    /// As ``init(parsing:source:)``, for a document that a stranger wrote: `limits` says what it may have.
    package init(
        parsing bytes: some Collection<UInt8>, source: String, limits: JSONLimits
    ) throws(ConcordError) {
        func parse(_ bytes: UnsafeBufferPointer<UInt8>) -> Result<JSONValue, ConcordError> {
            var parser = JSONParser(bytes: bytes, source: source, limits: limits)
            do throws(ConcordError) { return .success(try parser.document()) } catch { return .failure(error) }
        }
        let result = bytes.withContiguousStorageIfAvailable(parse) ?? Array(bytes).withUnsafeBufferPointer(parse)
        self = try result.get()
    }

    /// Reads one JSON document from a string.
    public init(parsing text: String, source: String = "JSON") throws(ConcordError) {
        try self.init(parsing: Array(text.utf8), source: source)
    }
}

private struct JSONParser {
    private let bytes: UnsafeBufferPointer<UInt8>
    private let source: String
    private var position = 0
    private let limits: JSONLimits
    private var valueCount = 0

    init(bytes: UnsafeBufferPointer<UInt8>, source: String, limits: JSONLimits) {
        self.bytes = bytes
        self.source = source
        self.limits = limits
    }

    /// The byte at `position`, nil at the end: the only way a byte is read, because the buffer checks no bounds.
    private var next: UInt8? {
        @inline(__always) get { position < bytes.count ? bytes[position] : nil }
    }

    mutating func document() throws(ConcordError) -> JSONValue {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
        let value = try value(depth: 0)
        skipWhitespace()
        guard next == nil else { throw failure("text after the end of the document") }
        return value
    }

    private func failure(_ problem: String) -> ConcordError {
        ConcordError(.malformedText, "\(source) is not valid JSON: \(problem) at byte \(position)")
    }

    private mutating func skipWhitespace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private mutating func value(depth: Int) throws(ConcordError) -> JSONValue {
        guard depth < limits.depth else { throw failure("nesting deeper than \(limits.depth)") }
        valueCount += 1
        guard valueCount <= limits.values else { throw failure("more than \(limits.values) values") }
        skipWhitespace()
        guard let first = next else { throw failure("the text ends where a value should be") }
        switch first {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        case UInt8(ascii: "N"): return try nonFinite("NaN", .nan)
        case UInt8(ascii: "I"): return try nonFinite("Infinity", .infinity)
        default: return try number()
        }
    }

    private mutating func literal(_ word: StaticString, _ value: JSONValue) throws(ConcordError) -> JSONValue {
        let start = position
        let isThere = word.withUTF8Buffer { word in
            word.allSatisfy { letter in
                defer { position += 1 }
                return next == letter
            }
        }
        guard isThere else {
            position = start
            throw failure("an unknown word")
        }
        return value
    }

    /// A word that stands for a number which JSON does not have.
    private mutating func nonFinite(_ word: StaticString, _ number: Double) throws(ConcordError) -> JSONValue {
        let start = position, value = try literal(word, .number(number))
        guard limits.nonFiniteNumbers else {
            position = start
            let place = memberName.map { " as the value of `\($0)`" } ?? ""
            throw failure("`\(word)`\(place), which Python writes although JSON does not have it,")
        }
        return value
    }

    /// The name of the member whose value begins at `position`; nil for an element of an array.
    private var memberName: String? {
        // For messages alone, so it is looked for backwards instead of being kept for every value.
        var end = position
        func skipBack() { while end > 0, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[end - 1]) { end -= 1 } }
        if end > 0, bytes[end - 1] == UInt8(ascii: "-") { end -= 1 }
        skipBack()
        guard end > 0, bytes[end - 1] == UInt8(ascii: ":") else { return nil }
        end -= 1
        skipBack()
        guard end > 1, bytes[end - 1] == 0x22, let start = bytes[..<(end - 1)].lastIndex(of: 0x22) else { return nil }
        return String(decoding: bytes[(start + 1)..<(end - 1)], as: UTF8.self)
    }

    private mutating func object(depth: Int) throws(ConcordError) -> JSONValue {
        position += 1
        var members = [JSONValue.Member]()
        skipWhitespace()
        if take("}") { return .object([]) }
        while true {
            skipWhitespace()
            guard next == UInt8(ascii: "\"") else {
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

    @inline(__always)
    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func string() throws(ConcordError) -> String {
        position += 1
        var start = position
        // What came before the last escape. Most strings have none, and need no copy.
        var content = [UInt8]()
        while true {
            while let byte = next, byte != 0x22, byte != 0x5C, byte >= 0x20 { position += 1 }
            guard let byte = next else { throw failure("a string without a closing quote") }
            guard byte >= 0x20 else { throw failure("a raw control character in a string") }
            let run = UnsafeBufferPointer(rebasing: bytes[start..<position])
            if byte == 0x22 {
                position += 1
                if !content.isEmpty { content += run }
                let text = content.isEmpty ? Self.text(run) : content.withUnsafeBufferPointer(Self.text)
                guard let text else { throw failure("a string that is not UTF-8, ending") }
                return text
            }
            content += run
            try escape(into: &content)
            start = position
        }
    }

    /// The bytes as a string; nil for invalid UTF-8.
    private static func text(_ bytes: UnsafeBufferPointer<UInt8>) -> String? {
        // Faster than `String(validating:as:)`: decoding replaces what is not UTF-8, so the bytes then differ.
        let text = String(decoding: bytes, as: UTF8.self)
        guard let first = bytes.baseAddress, !bytes.isEmpty else { return text }
        let isSame = text.utf8.withContiguousStorageIfAvailable { decoded in
            decoded.count == bytes.count && decoded.baseAddress.map { memcmp($0, first, bytes.count) == 0 } ?? false
        }
        return isSame ?? text.utf8.elementsEqual(bytes) ? text : nil
    }

    private mutating func escape(into content: inout [UInt8]) throws(ConcordError) {
        position += 1
        guard let kind = next else { throw failure("a string that ends in a backslash") }
        position += 1
        switch kind {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): content.append(kind)
        case UInt8(ascii: "b"): content.append(0x08)
        case UInt8(ascii: "f"): content.append(0x0C)
        case UInt8(ascii: "n"): content.append(0x0A)
        case UInt8(ascii: "r"): content.append(0x0D)
        case UInt8(ascii: "t"): content.append(0x09)
        case UInt8(ascii: "u"):
            var scalar = try hexadecimal()
            if (0xD800..<0xDC00).contains(scalar) {
                guard take("\\"), take("u") else { throw failure("a lone high surrogate") }
                let low = try hexadecimal()
                guard (0xDC00..<0xE000).contains(low) else { throw failure("a lone high surrogate") }
                scalar = 0x10000 + (scalar - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let character = Unicode.Scalar(scalar) else { throw failure("a lone low surrogate") }
            content += character.utf8
        default: throw failure("an unknown escape")
        }
    }

    private mutating func hexadecimal() throws(ConcordError) -> UInt32 {
        let start = position
        var value: UInt32 = 0
        for _ in 0..<4 {
            let digit: UInt8? =
                switch next {
                case .some(let byte) where (0x30...0x39).contains(byte): byte - 0x30
                case .some(let byte) where (0x41...0x46).contains(byte): byte - 0x41 + 10
                case .some(let byte) where (0x61...0x66).contains(byte): byte - 0x61 + 10
                default: nil
                }
            guard let digit else {
                position = start
                throw failure("four hexadecimal digits were expected")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    /// Passes over digits. Returns whether there was one.
    private mutating func digits() -> Bool {
        let start = position
        while let byte = next, (0x30...0x39).contains(byte) { position += 1 }
        return position > start
    }

    private mutating func number() throws(ConcordError) -> JSONValue {
        let start = position
        if take("-"), next == UInt8(ascii: "I") { return try nonFinite("Infinity", -.infinity) }
        let startsWithZero = next == UInt8(ascii: "0")
        let firstDigit = position
        guard digits() else { throw failure("a value was expected") }
        guard !startsWithZero || position == firstDigit + 1 else { throw failure("a number with a leading zero") }
        var isInteger = true
        if take(".") {
            isInteger = false
            guard digits() else { throw failure("a digit after the decimal point was expected") }
        }
        if take("e") || take("E") {
            isInteger = false
            if !take("+") { _ = take("-") }
            guard digits() else { throw failure("a digit of the exponent was expected") }
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isInteger, let integer = Int(text) { return .integer(integer) }
        guard let number = Double(text), number.isFinite else { throw failure("a number out of range") }
        return .number(number)
    }
}
