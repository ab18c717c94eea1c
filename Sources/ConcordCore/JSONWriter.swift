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
