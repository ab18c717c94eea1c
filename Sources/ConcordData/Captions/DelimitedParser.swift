/// Splits comma- or tab-separated bytes into rows of fields (RFC 4180).
///
/// Quoted fields may hold delimiters, line ends and doubled quotes. Rows end with LF, CRLF or CR; blank lines are no
/// rows. Text after a closing quote is kept, as Python's `csv` does.
package struct DelimitedParser {
    package struct Row {
        /// The line, from 1, where the row begins.
        package let line: Int
        package let fields: [[UInt8]]
        /// A quoted field has no closing quote within the limit: the fields are void, and reading goes on at the
        /// next line.
        package let isUnclosed: Bool
    }

    private let delimiter: UInt8
    private let usesQuotes: Bool
    private var position = 0
    private var line = 1

    private static let quote = UInt8(ascii: "\"")
    private static let lineFeed = UInt8(ascii: "\n")
    private static let carriageReturn = UInt8(ascii: "\r")
    /// A stray quote would otherwise swallow the rest of the file, and scanning for its end could take quadratic time.
    private static let longestRow = 1 << 20

    package init(delimiter: UInt8, usesQuotes: Bool = true) {
        self.delimiter = delimiter
        self.usesQuotes = usesQuotes
    }

    /// The next row; nil at the end. `bytes` must be the same at every call.
    package mutating func next(in bytes: UnsafeRawBufferPointer) -> Row? {
        while position < bytes.count, isLineEnd(bytes[position]) { endLine(in: bytes) }
        guard position < bytes.count else { return nil }
        let start = (position: position, line: line)
        var fields: [[UInt8]] = []
        while true {
            guard let field = nextField(in: bytes, rowStart: start.position) else {
                (position, line) = start
                while position < bytes.count, !isLineEnd(bytes[position]) { position += 1 }
                endLine(in: bytes)
                return Row(line: start.line, fields: [], isUnclosed: true)
            }
            fields.append(field)
            guard position < bytes.count else { break }
            if isLineEnd(bytes[position]) {
                endLine(in: bytes)
                break
            }
            position += 1
        }
        return Row(line: start.line, fields: fields, isUnclosed: false)
    }

    /// The field at `position`, which then stands on what ended it; nil for a quote that does not close.
    private mutating func nextField(in bytes: UnsafeRawBufferPointer, rowStart: Int) -> [UInt8]? {
        var field: [UInt8] = []
        if usesQuotes, position < bytes.count, bytes[position] == Self.quote {
            position += 1
            while true {
                let start = position
                while position < bytes.count, bytes[position] != Self.quote {
                    if isLineEnd(bytes[position]) { endLine(in: bytes) } else { position += 1 }
                }
                guard position < bytes.count, position - rowStart <= Self.longestRow else { return nil }
                field += bytes[start..<position]
                position += 1
                guard position < bytes.count, bytes[position] == Self.quote else { break }
                field.append(Self.quote)
                position += 1
            }
        }
        let start = position
        while position < bytes.count, bytes[position] != delimiter, !isLineEnd(bytes[position]) { position += 1 }
        field += bytes[start..<position]
        return field
    }

    private func isLineEnd(_ byte: UInt8) -> Bool { byte == Self.lineFeed || byte == Self.carriageReturn }

    /// Steps over LF, CRLF or CR.
    private mutating func endLine(in bytes: UnsafeRawBufferPointer) {
        guard position < bytes.count else { return }
        let isPair =
            bytes[position] == Self.carriageReturn && position + 1 < bytes.count
            && bytes[position + 1] == Self.lineFeed
        position += isPair ? 2 : 1
        line += 1
    }
}
