import CUTF8Proc

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

    /// Puts a text into lower case in place if it is all ASCII; returns false, and leaves it, if it is not.
    static func lowercaseASCII(_ text: inout [Unicode.Scalar]) -> Bool {
        guard text.allSatisfy(\.isASCII) else { return false }
        for index in text.indices where ("A"..."Z").contains(text[index]) {
            text[index] = Unicode.Scalar(UInt8(truncatingIfNeeded: text[index].value) | 0x20)
        }
        return true
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

extension Normalization {
    /// The four normalization forms of the Unicode Standard.
    package enum Form: String, Sendable {
        case c = "NFC"
        case d = "NFD"
        case kc = "NFKC"
        case kd = "NFKD"
    }

    /// A text in a normalization form, by the tables of Unicode 9, which `tokenizers` has.
    ///
    /// Characters that came later stay as they are, and nothing combines across them.
    static func normalized(_ text: [Unicode.Scalar], _ form: Form) -> [Unicode.Scalar] {
        if isUnchanged(text, form) { return text }
        var output = [Unicode.Scalar]()
        output.reserveCapacity(text.count)
        var start = 0
        for (index, scalar) in text.enumerated() where UnicodeAge.isNewer(scalar, than: 9) {
            output += mapped(text[start..<index], form)
            output.append(scalar)
            start = index + 1
        }
        output += mapped(text[start...], form)
        return output
    }

    /// A text in a normalization form by the current tables, those of utf8proc.
    package static func mapped(_ text: ArraySlice<Unicode.Scalar>, _ form: Form) -> [Unicode.Scalar] {
        let isCompatible = form == .kc || form == .kd
        var output = ordered(
            decomposed(text, isCompatible ? [UTF8PROC_DECOMPOSE, UTF8PROC_COMPAT] : [UTF8PROC_DECOMPOSE]))
        if form == .c || form == .kc {
            let count = output.withUnsafeMutableBufferPointer { buffer in
                utf8proc_normalize_utf32(
                    buffer.baseAddress, buffer.count, options([UTF8PROC_COMPOSE, UTF8PROC_STABLE]))
            }
            output.removeLast(output.count - count)
        }
        return output.compactMap { Unicode.Scalar(UInt32(bitPattern: $0)) }
    }

    private static func options(_ options: [utf8proc_option_t]) -> utf8proc_option_t {
        utf8proc_option_t(options.reduce(0) { $0 | $1.rawValue })
    }

    /// The characters that each one stands for, in the order of the text.
    private static func decomposed(_ text: ArraySlice<Unicode.Scalar>, _ choices: [utf8proc_option_t]) -> [Int32] {
        // The most that a character stands for, in all of Unicode.
        let longest = 18
        let options = options(choices)
        var (output, boundary): ([Int32], Int32) = ([], 0)
        output.reserveCapacity(text.count)
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: longest) { buffer in
            for scalar in text {
                let value = Int32(bitPattern: scalar.value)
                let count = utf8proc_decompose_char(value, buffer.baseAddress, longest, options, &boundary)
                output.append(contentsOf: buffer.prefix(count))
            }
        }
        return output
    }

    /// Each run of marks in the order of their combining classes (Unicode Standard, 3.11).
    ///
    /// utf8proc would do it, in a time that grows with the square of the run, which may be as long as the text.
    private static func ordered(_ text: [Int32]) -> [Int32] {
        let orders = text.map { utf8proc_get_property($0).pointee.combining_class }
        var output = text
        var start = 0
        while start < text.count {
            var end = start + 1
            if orders[start] > 0 {
                while end < text.count, orders[end] > 0 { end += 1 }
                // Marks of one class keep their places.
                let places = (start..<end).sorted { (orders[$0], $0) < (orders[$1], $1) }
                for (index, place) in zip(start..<end, places) { output[index] = text[place] }
            }
            start = end
        }
        return output
    }

    /// Whether a text is in a form already, as far as a look at each character tells.
    static func isUnchanged(_ text: [Unicode.Scalar], _ form: Form) -> Bool {
        text.allSatisfy { isUnchanged($0, form) }
    }

    /// Whether a character stays itself whatever stands around it, if all around it are such characters too.
    private static func isUnchanged(_ scalar: Unicode.Scalar, _ form: Form) -> Bool {
        switch scalar.value {
        case 0..<0xA0, 0x4E00..<0xA000, 0x1F300..<0x1FB00: true
        case 0xA0..<0xC0: form == .c || form == .d
        case 0xC0..<0x300: form == .c
        case 0xAC00..<0xD7A4: form == .c || form == .kc
        default: form == .c && isAlwaysComposed(scalar)
        }
    }
}

/// In which version of Unicode a character appeared.
///
/// The libraries behind Hugging Face's tokenizers carry tables of Unicode 8 and 9: to them, later characters are
/// unassigned.
enum UnicodeAge {
    /// Whether a character is assigned, by a version after `version`.0.
    static func isNewer(_ scalar: Unicode.Scalar, than version: Int) -> Bool {
        // The youngest of these ranges are of Unicode 1 to 3, so most text needs no look-up.
        switch scalar.value {
        case 0..<0x220, 0x4E00..<0x9FA6, 0xAC00..<0xD7A4: return false
        default: break
        }
        guard let age = scalar.properties.age else { return false }
        return age.major > version || (age.major == version && age.minor > 0)
    }
}
