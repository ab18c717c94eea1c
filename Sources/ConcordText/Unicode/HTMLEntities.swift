/// HTML character references, replaced as Python's `html.unescape` and ftfy's stricter `unescape_html` do.
enum HTMLEntities {
    /// Names as in Python's `html.entities.html5`: with the semicolon, and the old ones also without.
    private static let characters: [[Unicode.Scalar]: [Unicode.Scalar]] = {
        var table = [[Unicode.Scalar]: [Unicode.Scalar]]()
        for entry in htmlEntityTable.split(whereSeparator: { $0 == " " || $0 == "\n" }) {
            let parts = entry.split(separator: "=")
            let codes = parts[1].split(separator: ",").compactMap { UInt32($0, radix: 16).flatMap(Unicode.Scalar.init) }
            // A leading "!" marks the names that browsers also accept without a semicolon.
            let isOld = parts[0].first == "!"
            let name = Array(parts[0].drop { $0 == "!" }.unicodeScalars)
            table[name + [";"]] = codes
            if isOld { table[name] = codes }
        }
        return table
    }()

    /// The characters of the code points 0x80 to 0x9F in browsers: Windows-1252, with its five holes left as they are.
    static let windows1252: [Unicode.Scalar] = Array(
        """
        \u{20AC}\u{81}\u{201A}\u{192}\u{201E}\u{2026}\u{2020}\u{2021}\u{2C6}\u{2030}\u{160}\u{2039}\u{152}\u{8D}\u{17D}\
        \u{8F}\u{90}\u{2018}\u{2019}\u{201C}\u{201D}\u{2022}\u{2013}\u{2014}\u{2DC}\u{2122}\u{161}\u{203A}\u{153}\u{9D}\
        \u{17E}\u{178}
        """.unicodeScalars)

    /// Replaces every reference that HTML 5 knows, as Python's `html.unescape`.
    static func unescaped(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
        replacingReferences(in: text, reference)
    }

    /// Replaces the unambiguous references, as ftfy's `unescape_html`: only those that end in a semicolon, and names
    /// in capitals (`&EACUTE;`) where HTML knows the name in small letters alone.
    static func unescapedStrictly(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
        replacingReferences(in: text) { text, ampersand in
            guard let end = strictEnd(in: text, from: ampersand) else { return nil }
            return (strictReplacement(Array(text[ampersand..<end])), end)
        }
    }

    /// Copies the text; at each ampersand asks `read` for a replacement and where the text goes on.
    private static func replacingReferences(
        in text: [Unicode.Scalar], _ read: ([Unicode.Scalar], Int) -> ([Unicode.Scalar], end: Int)?
    ) -> [Unicode.Scalar] {
        guard text.contains("&") else { return text }
        var output = [Unicode.Scalar]()
        output.reserveCapacity(text.count)
        var position = 0
        while position < text.count {
            if text[position] == "&", let (replacement, end) = read(text, position) {
                output += replacement
                position = end
            } else {
                output.append(text[position])
                position += 1
            }
        }
        return output
    }

    /// The replacement of the reference at `ampersand`; nil where Python's pattern does not match.
    private static func reference(in text: [Unicode.Scalar], at ampersand: Int) -> ([Unicode.Scalar], end: Int)? {
        let start = ampersand + 1
        guard start < text.count else { return nil }
        if text[start] == "#" {
            let isHexadecimal = start + 1 < text.count && (text[start + 1] == "x" || text[start + 1] == "X")
            let digits = start + (isHexadecimal ? 2 : 1)
            var end = digits
            while end < text.count, isDigit(text[end], hexadecimal: isHexadecimal) { end += 1 }
            guard end > digits else { return nil }
            let replacement = numeric(text[digits..<end], radix: isHexadecimal ? 16 : 10)
            return (replacement, end < text.count && text[end] == ";" ? end + 1 : end)
        }
        var end = start
        while end < text.count, end - start < 32, !"\t\n\u{C} <&#;".unicodeScalars.contains(text[end]) { end += 1 }
        guard end > start else { return nil }
        if end < text.count, text[end] == ";" { end += 1 }
        let name = text[start..<end]
        if let known = characters[Array(name)] { return (known, end) }
        // The longest known beginning counts, at least two characters long.
        for length in stride(from: name.count - 1, to: 1, by: -1) {
            if let known = characters[Array(name.prefix(length))] { return (known + name.dropFirst(length), end) }
        }
        return (["&"] + name, end)
    }

    private static func isDigit(_ scalar: Unicode.Scalar, hexadecimal: Bool) -> Bool {
        switch scalar {
        case "0"..."9": true
        case "a"..."f", "A"..."F": hexadecimal
        default: false
        }
    }

    private static func numeric(_ digits: ArraySlice<Unicode.Scalar>, radix: Int) -> [Unicode.Scalar] {
        var value = 0
        for digit in digits {
            // Anything past the last code point is the same error; stay there instead of overflowing.
            value = min(value * radix + (Character(digit).hexDigitValue ?? 0), 0x110000)
        }
        switch value {
        case 0: return ["\u{FFFD}"]
        case 0x0D: return ["\r"]
        case 0x80..<0xA0: return [windows1252[value - 0x80]]
        case 0x01...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0xFDD0...0xFDEF: return []
        default:
            guard let scalar = Unicode.Scalar(UInt32(value)) else { return ["\u{FFFD}"] }
            // U+xFFFE and U+xFFFF are no characters.
            return value & 0xFFFE == 0xFFFE ? [] : [scalar]
        }
    }

    /// The end of `&#?[0-9A-Za-z]{1,24};` at `ampersand`; nil where that does not match.
    private static func strictEnd(in text: [Unicode.Scalar], from ampersand: Int) -> Int? {
        var position = ampersand + 1
        if position < text.count, text[position] == "#" { position += 1 }
        let start = position
        while position < text.count, position - start < 24, isASCIIAlphanumeric(text[position]) { position += 1 }
        guard position > start, position < text.count, text[position] == ";" else { return nil }
        return position + 1
    }

    private static func isASCIIAlphanumeric(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "0"..."9", "a"..."z", "A"..."Z": true
        default: false
        }
    }

    private static func strictReplacement(_ reference: [Unicode.Scalar]) -> [Unicode.Scalar] {
        let name = Array(reference.dropFirst())
        if let known = characters[name] { return known }
        let unescaped = unescaped(reference)
        if name.first == "#" {
            // A semicolon that is left says that only a part was read: "&#12ab;".
            return unescaped.contains(";") ? reference : unescaped
        }
        let small = Normalization.lowercasedEach(name)
        let isCapital = !name.contains { ("a"..."z").contains($0) }
        if isCapital, unescaped == reference, let known = characters[small] {
            return known.flatMap { Array($0.properties.uppercaseMapping.unicodeScalars) }
        }
        return reference
    }
}
