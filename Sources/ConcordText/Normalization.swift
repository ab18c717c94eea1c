/// Unicode normalization forms and lower case, on scalars.
package enum Normalization {
    /// The text in form C.
    static func composed(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
        text.allSatisfy(isAlwaysComposed) ? text : mapped(text[...], .c)
    }

    /// The compatibility form (NFKC) of one character.
    static func compatible(_ scalar: Unicode.Scalar) -> [Unicode.Scalar] {
        mapped([scalar], .kc)
    }

    /// Whether a character is its own form C and never combines with the one before it.
    ///
    /// Covers Latin, Cyrillic, general punctuation, kana, Han, Hangul syllables, full-width forms and emoji.
    static func isAlwaysComposed(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x300, 0x400..<0x483, 0x2010..<0x2028, 0x200D, 0xFE0F, 0x3041..<0x3097, 0x30A1..<0x30FB,
            0x3001..<0x3003,
            0x4E00..<0xA000, 0xAC00..<0xD7A4, 0xFF01..<0xFF61, 0x1F300..<0x1FB00:
            true
        default: false
        }
    }

    /// Each character in lower case by itself, as Rust's `char::to_lowercase`: a capital sigma is always σ.
    static func lowercasedEach(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
        var output = [Unicode.Scalar]()
        output.reserveCapacity(text.count)
        for scalar in text { appendLowercase(scalar, to: &output) }
        return output
    }

    /// The text in lower case as Python's `str.lower`: a capital sigma at the end of a word is ς.
    static func lowercased(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
        var output = [Unicode.Scalar]()
        output.reserveCapacity(text.count)
        for (index, scalar) in text.enumerated() {
            if scalar == "Σ" {
                output.append(isFinalSigma(at: index, of: text) ? "ς" : "σ")
            } else {
                appendLowercase(scalar, to: &output)
            }
        }
        return output
    }

    static func appendLowercase(_ scalar: Unicode.Scalar, to output: inout [Unicode.Scalar]) {
        if scalar.isASCII {
            let isCapital = ("A"..."Z").contains(scalar)
            output.append(isCapital ? Unicode.Scalar(UInt8(truncatingIfNeeded: scalar.value) | 0x20) : scalar)
        } else {
            output.append(contentsOf: scalar.properties.lowercaseMapping.unicodeScalars)
        }
    }

    /// Final_Sigma of the Unicode Standard, 3.13: a cased letter before, none after, ignoring what is transparent.
    private static func isFinalSigma(at index: Int, of text: [Unicode.Scalar]) -> Bool {
        let before = text[..<index].last { !$0.properties.isCaseIgnorable }
        let after = text[(index + 1)...].first { !$0.properties.isCaseIgnorable }
        return before?.properties.isCased == true && after?.properties.isCased != true
    }
}
