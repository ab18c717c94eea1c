/// A `data:` URI (RFC 2397), taken apart as browsers do it (WHATWG Fetch, 6).
struct DataURI {
    /// What stands between `data:` and the comma: the media type, and whether the content is in base64.
    private let header: Substring.UTF8View
    /// Nil without a comma.
    private let content: Substring.UTF8View?

    /// Nil for a text that does not begin with `data:`, in letters of either case, white space before it left aside.
    init?(_ text: String) {
        var rest = text.utf8[...]
        while let byte = rest.first, byte <= 0x20 { rest = rest.dropFirst() }
        guard rest.beginsLike("data:") else { return nil }
        rest = rest.dropFirst(5)
        if let comma = rest.firstIndex(of: UInt8(ascii: ",")) {
            header = rest[..<comma]
            content = rest[rest.index(after: comma)...]
        } else {
            header = rest
            content = nil
        }
    }

    /// Whether a text that might be anything is meant as one. "Data: the new oil, they say" is not; what has the form of a
    /// media type, a parameter or nothing before the comma is, and so is a picture's that was cut off.
    var isMeant: Bool {
        if isBase64 { return true }
        guard header.allSatisfy({ $0 > 0x20 }) else { return false }
        guard content != nil else { return header.beginsLike("image/") }
        if header.isEmpty || header.contains(UInt8(ascii: ";")) { return true }
        guard let slash = header.firstIndex(of: UInt8(ascii: "/")) else { return false }
        return slash != header.startIndex && header.index(after: slash) != header.endIndex
    }

    /// Whether there is a comma.
    var isWhole: Bool { content != nil }

    /// The bytes; nil without a comma, and for base64 that is none.
    var bytes: [UInt8]? {
        guard let content else { return nil }
        if isBase64, let bytes = Base64.decode(content) { return bytes }
        // Rare, and so tried last: a fragment, and escaped letters.
        let plain = content.prefix { $0 != UInt8(ascii: "#") }.percentDecoded
        return isBase64 ? Base64.decode(plain) : plain
    }

    /// Whether the header ends in `;base64`, with white space as browsers allow it.
    private var isBase64: Bool {
        func trimmed(_ text: Substring.UTF8View) -> Substring.UTF8View {
            var text = text
            while let byte = text.last, byte <= 0x20 { text = text.dropLast() }
            return text
        }
        let whole = trimmed(header)
        guard whole.suffix(6).beginsLike("base64") else { return false }
        return trimmed(whole.dropLast(6)).last == UInt8(ascii: ";")
    }
}

extension Substring.UTF8View {
    /// Whether it begins with an ASCII text in letters of either case.
    func beginsLike(_ text: StaticString) -> Bool {
        text.withUTF8Buffer { text in
            let beginning = self.prefix(text.count)
            return beginning.count == text.count
                && zip(beginning, text).allSatisfy { $0 == $1 || ((0x41...0x5A).contains($0) && $0 | 0x20 == $1) }
        }
    }
}

extension Collection<UInt8> {
    /// The bytes with each percent sign and the two digits behind it as the byte that they stand for (RFC 3986, 2.1);
    /// percent signs without two digits stay.
    var percentDecoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        var index = startIndex
        while index != endIndex {
            let byte = self[index]
            formIndex(after: &index)
            guard byte == UInt8(ascii: "%"), index != endIndex, let high = Self.digit(self[index]),
                case let second = self.index(after: index), second != endIndex, let low = Self.digit(self[second])
            else {
                bytes.append(byte)
                continue
            }
            bytes.append(high << 4 | low)
            index = self.index(after: second)
        }
        return bytes
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        Character(Unicode.Scalar(byte)).hexDigitValue.map { UInt8($0) }
    }
}
