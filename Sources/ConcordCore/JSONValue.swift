/// A JSON document as a value: objects keep the order of their members.
///
/// Foundation's decoders lose the order of keys and merge keys that are canonically equivalent ("é" and
/// "e" + U+0301), which a token table cannot afford. This type keeps both apart: member names are compared by
/// their UTF-8 bytes.
public enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([Member])

    /// A name and its value.
    public struct Member: Sendable, Hashable {
        public let name: String
        public let value: JSONValue
        public init(_ name: String, _ value: JSONValue) {
            self.name = name
            self.value = value
        }
    }

    /// The first member called `name`, by bytes; nil for anything but an object.
    public subscript(_ name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name.utf8.elementsEqual(name.utf8) }?.value
    }

    public var members: [Member]? { if case .object(let members) = self { members } else { nil } }
    public var elements: [JSONValue]? { if case .array(let elements) = self { elements } else { nil } }
    public var string: String? { if case .string(let text) = self { text } else { nil } }
    public var bool: Bool? { if case .bool(let flag) = self { flag } else { nil } }
    public var isNull: Bool { self == .null }

    /// An integer, also when written as `3.0`.
    public var int: Int? {
        switch self {
        case .integer(let value): value
        case .number(let value): Int(exactly: value)
        default: nil
        }
    }

    public var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .number(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(elements.map { Member($0.0, $0.1) })
    }
    public init(nilLiteral: ()) { self = .null }
}

extension JSONValue {
    /// The document as text: compact, or indented by two spaces a level when `pretty`.
    ///
    /// Numbers print in the shortest form that reads back as the same `Double`; NaN and infinities, which JSON lacks,
    /// print as `null`.
    public func text(pretty: Bool = false) -> String {
        var output = [UInt8]()
        write(into: &output, pretty: pretty, depth: 0)
        return String(decoding: output, as: UTF8.self)
    }

    private func write(into output: inout [UInt8], pretty: Bool, depth: Int) {
        switch self {
        case .null: output += "null".utf8
        case .bool(let flag): output += (flag ? "true" : "false").utf8
        case .integer(let value): output += String(value).utf8
        case .number(let value): output += (value.isFinite ? "\(value)" : "null").utf8
        case .string(let text): Self.write(text, into: &output)
        case .array(let elements):
            Self.writeList(elements, open: "[", close: "]", into: &output, pretty: pretty, depth: depth) {
                $0.write(into: &$1, pretty: pretty, depth: depth + 1)
            }
        case .object(let members):
            Self.writeList(members, open: "{", close: "}", into: &output, pretty: pretty, depth: depth) {
                Self.write($0.name, into: &$1)
                $1 += (pretty ? ": " : ":").utf8
                $0.value.write(into: &$1, pretty: pretty, depth: depth + 1)
            }
        }
    }

    private static func writeList<Element>(
        _ items: [Element], open: String, close: String, into output: inout [UInt8], pretty: Bool, depth: Int,
        _ writeItem: (Element, inout [UInt8]) -> Void
    ) {
        func newLine(_ depth: Int) {
            if pretty && !items.isEmpty { output += "\n".utf8 + [UInt8](repeating: 0x20, count: 2 * depth) }
        }
        output += open.utf8
        for (index, item) in items.enumerated() {
            if index > 0 { output += (pretty ? "," : ", ").utf8 }
            newLine(depth + 1)
            writeItem(item, &output)
        }
        newLine(depth)
        output += close.utf8
    }

    private static func write(_ text: String, into output: inout [UInt8]) {
        let hex = Array("0123456789abcdef".utf8)
        output.append(0x22)
        for byte in text.utf8 {
            switch byte {
            case 0x22, 0x5C: output += [0x5C, byte]
            case 0x0A: output += "\\n".utf8
            case 0x0D: output += "\\r".utf8
            case 0x09: output += "\\t".utf8
            case 0..<0x20: output += "\\u00".utf8 + [hex[Int(byte >> 4)], hex[Int(byte & 15)]]
            default: output.append(byte)
            }
        }
        output.append(0x22)
    }
}

/// Limits of a JSON document: in memory a value takes many times the bytes of its text, so depth and number count.
package struct JSONLimits: Sendable, Hashable {
    /// The most objects and arrays inside each other.
    package var depth: Int
    /// The most values, those inside others included.
    package var values: Int
    /// Whether `NaN`, `Infinity` and `-Infinity` are numbers. JSON does not have them, but Python's `json` writes them.
    package var nonFiniteNumbers: Bool

    package init(depth: Int = 128, values: Int = .max, nonFiniteNumbers: Bool = false) {
        self.depth = depth
        self.values = values
        self.nonFiniteNumbers = nonFiniteNumbers
    }

    /// 128 levels, and as many values as there are.
    package static let standard = JSONLimits()
}
