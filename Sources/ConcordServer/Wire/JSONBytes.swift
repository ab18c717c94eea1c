import ConcordCore

/// Writes JSON with long vectors, which as `JSONValue` would take a case and a box for each number.
struct JSONBytes {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int = 256) { bytes.reserveCapacity(capacity) }

    /// Appends text that is JSON already.
    mutating func raw(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    mutating func value(_ value: JSONValue) { bytes.append(contentsOf: value.text().utf8) }

    mutating func integer(_ value: Int) { bytes.append(contentsOf: String(value).utf8) }

    /// An array of numbers, each in the shortest form that reads back as the same `Float`.
    mutating func vector(_ values: [Float]) {
        bytes.reserveCapacity(bytes.count + 13 * values.count)
        bytes.append(UInt8(ascii: "["))
        for (index, value) in values.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            // JSON has no NaN and no infinity.
            var text = value.isFinite ? value.description : "null"
            text.withUTF8 { bytes.append(contentsOf: $0) }
        }
        bytes.append(UInt8(ascii: "]"))
    }

    /// A string with the numbers as little-endian float32 in base64.
    mutating func base64(_ values: [Float]) {
        let words = values.map(\.bitPattern.littleEndian)
        bytes.append(UInt8(ascii: "\""))
        words.withUnsafeBytes { Base64.append($0, to: &bytes) }
        bytes.append(UInt8(ascii: "\""))
    }

    /// `items` between brackets or braces with commas between them.
    mutating func list<Item>(_ items: some Collection<Item>, _ write: (inout JSONBytes, Item) -> Void) {
        bytes.append(UInt8(ascii: "["))
        for (index, item) in items.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            write(&self, item)
        }
        bytes.append(UInt8(ascii: "]"))
    }
}
