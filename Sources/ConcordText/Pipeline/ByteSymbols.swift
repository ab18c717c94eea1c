/// The printable character that stands for each byte in a vocabulary file (GPT-2's table, also CLIP's).
///
/// Printable Latin-1 bytes stand for themselves; the other 68 become U+0100 onwards, in byte order.
enum ByteSymbols {
    /// Marks the last symbol of a word.
    static let wordEnd = "</w>"

    /// The bytes in the order of their ids in OpenAI's vocabulary: the printable ones first.
    static let order: [UInt8] = {
        let printable = Array(UInt8(0x21)...0x7E) + Array(0xA1...0xAC) + Array(0xAE...0xFF)
        return printable + (UInt8.min...UInt8.max).filter { !printable.contains($0) }
    }()

    /// The character of each byte.
    static let scalars: [Unicode.Scalar] = {
        var table = [Unicode.Scalar](repeating: " ", count: 256)
        for (rank, byte) in order.enumerated() {
            // The first 188 are printable; those after them get the characters from U+0100 on.
            table[Int(byte)] = rank < 188 ? Unicode.Scalar(byte) : Unicode.Scalar(UInt16(0x100 + rank - 188)) ?? " "
        }
        return table
    }()

    private static let bytes: [Unicode.Scalar: UInt8] = .init(
        uniqueKeysWithValues: scalars.enumerated().map { ($1, UInt8($0)) })

    /// The spelling of a token of these bytes in a vocabulary file.
    static func spelling(of bytes: some Sequence<UInt8>, endsWord: Bool) -> String {
        var text = String(String.UnicodeScalarView(bytes.map { scalars[Int($0)] }))
        if endsWord { text += wordEnd }
        return text
    }

    /// The bytes that a token of a vocabulary file stands for; nil for a name that is no such spelling.
    static func content(of spelling: String) -> (bytes: [UInt8], endsWord: Bool)? {
        var symbols = Array(spelling.unicodeScalars)
        let suffix = Array(wordEnd.unicodeScalars)
        let endsWord = symbols.count > suffix.count && symbols.suffix(suffix.count).elementsEqual(suffix)
        if endsWord { symbols.removeLast(suffix.count) }
        return bytes(of: symbols).map { ($0, endsWord) }
    }

    /// The bytes that characters stand for; nil when one stands for none.
    static func bytes(of symbols: some Sequence<Unicode.Scalar>) -> [UInt8]? {
        var content = [UInt8]()
        for symbol in symbols {
            guard let byte = bytes[symbol] else { return nil }
            content.append(byte)
        }
        return content
    }

    /// The tokens `<0x00>` to `<0xFF>` of a vocabulary, by byte.
    static func fallbackTokens(_ vocabulary: [[UInt8]: Int32]) -> [Int32?] {
        (0..<256).map { byte in
            let digits = String(byte, radix: 16, uppercase: true)
            return vocabulary[Array("<0x\(digits.count < 2 ? "0" : "")\(digits)>".utf8)]
        }
    }
}

extension [UInt8] {
    /// Appends the UTF-8 bytes of a character.
    mutating func append(utf8Of scalar: Unicode.Scalar) {
        if scalar.isASCII {
            append(UInt8(truncatingIfNeeded: scalar.value))
        } else if let encoded = UTF8.encode(scalar) {
            append(contentsOf: encoded)
        }
    }
}
