/// ftfy's `fix_text` with its default settings, without the guessing of wrong encodings.
///
/// Steps and their order follow ftfy 6.3 (`ftfy/__init__.py`, `ftfy/fixes.py`). Left out is `fix_encoding`, which
/// finds text that was decoded with the wrong character set ("cafÃ©") by a heuristic and decodes it again.
enum TextRepair {
    /// The repaired text.
    static func repaired(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
        if text.allSatisfy(needsNoRepair) { return text }
        // ftfy repairs each line by itself, and cuts lines longer than this.
        let longestSegment = 1_000_000
        var output = [Unicode.Scalar]()
        var unescapesHTML = true
        var start = 0
        while start < text.count {
            let limit = min(text.count, start + longestSegment)
            let end = text[start..<limit].firstIndex(of: "\n").map { $0 + 1 } ?? limit
            let segment = Array(text[start..<end])
            // A literal "<" says that this is HTML; then references stay, here and in all later lines.
            if segment.contains("<") { unescapesHTML = false }
            output += repairedSegment(segment, unescapesHTML: unescapesHTML)
            start = end
        }
        return output
    }

    /// Printable ASCII but "&", and space, tab, new line: nothing below touches them.
    private static func needsNoRepair(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x26: false
        case 0x20..<0x7F, 0x09, 0x0A: true
        default: false
        }
    }

    private static func repairedSegment(_ segment: [Unicode.Scalar], unescapesHTML: Bool) -> [Unicode.Scalar] {
        var text = segment
        // ftfy goes on until nothing changes. Each pass takes one level of `&amp;amp;…`, so that a text made for it
        // would take a time that grows with its square; nobody escapes a text so many times.
        for _ in 0..<mostPasses {
            let original = text
            if unescapesHTML { text = HTMLEntities.unescapedStrictly(text) }
            text = replacingCharacters(text)
            text = unifyingLineBreaks(text)
            text = removingTerminalEscapes(text)
            text.removeAll(where: isControl)
            text = Normalization.composed(text)
            if text == original { break }
        }
        return text
    }

    private static let mostPasses = 16

    /// C1 controls to Windows-1252, ligatures to letters, full and half width to standard, curly quotes to straight.
    private static func replacingCharacters(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
        var output = [Unicode.Scalar]()
        output.reserveCapacity(text.count)
        for scalar in text {
            switch scalar.value {
            case 0x80..<0xA0: output.append(straightQuote(HTMLEntities.windows1252[Int(scalar.value) - 0x80]))
            case 0x132..<0x1F4, 0xFB00..<0xFB07:
                output += (ligatures[scalar] ?? [scalar]).map(straightQuote)
            case 0x3000: output.append(" ")
            case 0xFF01..<0xFFF0: output += standardWidth[Int(scalar.value) - 0xFF01]
            default: output.append(straightQuote(scalar))
            }
        }
        return output
    }

    private static let ligatures: [Unicode.Scalar: [Unicode.Scalar]] = [
        "Ĳ": "IJ", "ĳ": "ij", "ŉ": "ʼn", "Ǳ": "DZ", "ǲ": "Dz", "ǳ": "dz", "Ǆ": "DŽ", "ǅ": "Dž", "ǆ": "dž", "Ǉ": "LJ",
        "ǈ": "Lj", "ǉ": "lj", "Ǌ": "NJ", "ǋ": "Nj", "ǌ": "nj", "ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl",
        "ﬅ": "ſt", "ﬆ": "st",
    ].mapValues { (letters: String) in Array(letters.unicodeScalars) }

    /// The compatibility form (NFKC) of U+FF01 to U+FFEF.
    private static let standardWidth: [[Unicode.Scalar]] = (UInt32(0xFF01)..<0xFFF0).map { value in
        Unicode.Scalar(value).map { Normalization.compatible($0).map(straightQuote) } ?? []
    }

    private static func straightQuote(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        switch scalar.value {
        case 0x2BC, 0x2018..<0x201C: "'"
        case 0x201C..<0x2020: "\""
        default: scalar
        }
    }

    private static func unifyingLineBreaks(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
        var output = [Unicode.Scalar]()
        output.reserveCapacity(text.count)
        for (index, scalar) in text.enumerated() {
            switch scalar.value {
            case 0x0A where index > 0 && text[index - 1] == "\r": break
            case 0x0D, 0x85, 0x2028, 0x2029: output.append("\n")
            default: output.append(scalar)
            }
        }
        return output
    }

    /// Drops `ESC [ digits and semicolons, letter`.
    private static func removingTerminalEscapes(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
        guard text.contains("\u{1B}") else { return text }
        var output = [Unicode.Scalar]()
        var position = 0
        while position < text.count {
            if let end = escapeEnd(in: text, at: position) {
                position = end
            } else {
                output.append(text[position])
                position += 1
            }
        }
        return output
    }

    private static func escapeEnd(in text: [Unicode.Scalar], at start: Int) -> Int? {
        guard text[start] == "\u{1B}", start + 1 < text.count, text[start + 1] == "[" else { return nil }
        let parameters = text[(start + 2)...]
        // The digits of any script count, as `\d` does in Python.
        let end = parameters.firstIndex { $0 != ";" && $0.properties.generalCategory != .decimalNumber }
        guard let end, ("a"..."z").contains(text[end]) || ("A"..."Z").contains(text[end]) else { return nil }
        return end + 1
    }

    /// Controls without visible effect; not the white ones, and not those that shape glyphs.
    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x00..<0x09, 0x0B, 0x0E..<0x20, 0x7F, 0x206A..<0x2070, 0xFEFF, 0xFFF9..<0xFFFD: true
        default: false
        }
    }
}
