import ConcordCore

/// Base64 in RFC 4648's standard alphabet (§4), read as browsers do.
enum Base64 {
    /// The bytes; `nil` for anything that is not base64. White space may stand anywhere, and the padding may be missing as a
    /// whole (WHATWG Infra, forgiving-base64 decode).
    static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        let result = text.withContiguousStorageIfAvailable(decode(buffer:))
        return result ?? Array(text).withUnsafeBufferPointer(decode(buffer:))
    }

    private static func decode(buffer text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        if let bytes = decode(whole: text) { return bytes }
        var letters = text.filter { $0 != 0x20 && ($0 < 0x09 || $0 == 0x0B || $0 > 0x0D) }
        guard letters.count != text.count || letters.count % 4 > 1 else { return nil }
        // What has no padding must not have half of it.
        guard letters.count % 4 == 0 || letters.last != pad else { return nil }
        while letters.count % 4 > 1 { letters.append(pad) }
        return letters.withUnsafeBufferPointer(decode(whole:))
    }

    /// Without white space, and padded.
    private static func decode(whole text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        guard text.count % 4 == 0 else { return nil }
        guard !text.isEmpty else { return [] }
        let padding = text[text.count - 1] != pad ? 0 : text[text.count - 2] != pad ? 1 : 2
        let digits = text.count - padding
        let count = text.count / 4 * 3 - padding
        var isValid = true
        let bytes = [UInt8](unsafeUninitializedCapacity: count + 3) { output, written in
            // The whole groups: a digit that is none has the highest bit, which one check a group would find late enough.
            var problems: UInt32 = 0
            var (source, target) = (0, 0)
            decodingTable.withUnsafeBufferPointer { table in
                while source + 4 <= digits {
                    let (a, b, c, d) = (
                        table[Int(text[source])], table[Int(text[source + 1])], table[Int(text[source + 2])],
                        table[Int(text[source + 3])]
                    )
                    problems |= a | b | c | d
                    let value = a << 18 | b << 12 | c << 6 | d
                    output[target] = UInt8(truncatingIfNeeded: value >> 16)
                    output[target + 1] = UInt8(truncatingIfNeeded: value >> 8)
                    output[target + 2] = UInt8(truncatingIfNeeded: value)
                    source += 4
                    target += 3
                }
                if padding > 0 {
                    let (a, b) = (table[Int(text[source])], table[Int(text[source + 1])])
                    let c = padding == 1 ? table[Int(text[source + 2])] : 0
                    problems |= a | b | c
                    let value = a << 18 | b << 12 | c << 6
                    output[target] = UInt8(truncatingIfNeeded: value >> 16)
                    if padding == 1 { output[target + 1] = UInt8(truncatingIfNeeded: value >> 8) }
                }
            }
            isValid = problems & invalid == 0
            written = count
        }
        return isValid ? bytes : nil
    }

    /// Appends the text of `bytes`.
    static func append(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        output.reserveCapacity(output.count + (bytes.count + 2) / 3 * 4)
        var index = 0
        while index + 3 <= bytes.count {
            let value = UInt32(bytes[index]) << 16 | UInt32(bytes[index + 1]) << 8 | UInt32(bytes[index + 2])
            output.append(alphabet[Int(value >> 18)])
            output.append(alphabet[Int(value >> 12 & 63)])
            output.append(alphabet[Int(value >> 6 & 63)])
            output.append(alphabet[Int(value & 63)])
            index += 3
        }
        let rest = bytes.count - index
        guard rest > 0 else { return }
        let value = UInt32(bytes[index]) << 16 | (rest == 2 ? UInt32(bytes[index + 1]) << 8 : 0)
        output.append(alphabet[Int(value >> 18 & 63)])
        output.append(alphabet[Int(value >> 12 & 63)])
        output.append(rest == 2 ? alphabet[Int(value >> 6 & 63)] : pad)
        output.append(pad)
    }

    private static let pad = UInt8(ascii: "=")
    private static let invalid: UInt32 = 1 << 31
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let decodingTable: [UInt32] = {
        var table = [UInt32](repeating: invalid, count: 256)
        for (value, letter) in alphabet.enumerated() { table[Int(letter)] = UInt32(value) }
        return table
    }()
}
