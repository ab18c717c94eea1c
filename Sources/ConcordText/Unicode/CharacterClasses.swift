/// The kinds of characters that CLIP's split pattern tells apart: `\s`, `\p{L}`, `\p{N}`, and all others.
enum CharacterClass: UInt8 {
    case space, letter, number, other

    init(_ scalar: Unicode.Scalar) {
        let index = Int(scalar.value)
        self = index < Self.basicPlane.count ? Self.basicPlane[index] : Self.look(up: scalar)
    }

    // The standard library searches a range table for each question; most text asks about the first plane.
    private static let basicPlane: [CharacterClass] = (UInt32(0)..<0x10000).map { value in
        Unicode.Scalar(value).map(look(up:)) ?? .other
    }

    private static func look(up scalar: Unicode.Scalar) -> CharacterClass {
        // `\s` of both peers' engines is White_Space; U+001C to U+001F, which Python's `isspace` adds, are not in it.
        if scalar.properties.isWhitespace { return .space }
        return switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: .letter
        case .decimalNumber, .letterNumber, .otherNumber: .number
        default: .other
        }
    }
}

/// The classes of characters that BERT's cleaning and splitting know, as the `tokenizers` library has them.
///
/// Its tables are those of Unicode 8 (categories) and 9 (combining marks); what came later is in no class there.
enum BertCharacters {
    /// A character that `clean_text` drops: controls but tab and line ends, format characters, private use, NUL and
    /// U+FFFD.
    static func isDropped(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09, 0x0A, 0x0D, 0x20..<0x7F, 0xA0..<0xAD, 0xAE..<0x600: false
        case 0xFFFD: true
        default:
            switch scalar.properties.generalCategory {
            case .control, .format, .privateUse, .surrogate: !UnicodeAge.isNewer(scalar, than: 8)
            default: false
            }
        }
    }

    /// Punctuation: all of ASCII that is neither letter, digit, white nor control, and category P.
    static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x21..<0x30, 0x3A..<0x41, 0x5B..<0x61, 0x7B..<0x7F: return true
        case 0..<0xA1: return false
        // Their categories have changed since.
        case 0x166D, 0x111C9: return true
        default: break
        }
        return switch scalar.properties.generalCategory {
        case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
            .finalPunctuation, .otherPunctuation:
            !UnicodeAge.isNewer(scalar, than: 8)
        default: false
        }
    }

    /// A character that `strip_accents` drops after decomposition: category Mn.
    static func isNonspacingMark(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x300: return false
        // Their categories have changed since.
        case 0x1885, 0x1886, 0xA9BD, 0x111C9: return false
        case 0x1734, 0x1171E: return true
        default: break
        }
        return scalar.properties.generalCategory == .nonspacingMark && !UnicodeAge.isNewer(scalar, than: 8)
    }

    /// A character that the normalizer `StripAccents` drops: category M.
    static func isMark(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x300, 0x111C9: return false
        // Marks then, letters now.
        case 0x1CF2, 0x1CF3: return true
        default: break
        }
        return switch scalar.properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark: !UnicodeAge.isNewer(scalar, than: 9)
        default: false
        }
    }

    /// Chinese characters, which BERT takes for words of their own: the blocks of ideographs.
    static func isIdeograph(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0x20000...0x2A6DF, 0x2A700...0x2B73F, 0x2B740...0x2B81F,
            0x2B920...0x2CEAF, 0xF900...0xFAFF, 0x2F800...0x2FA1F:
            true
        default: false
        }
    }

    /// `\w` of Rust's `regex`: letters and marks that are alphabetic, marks, decimal digits, connectors, joiners.
    static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x30..<0x3A, 0x41..<0x5B, 0x5F, 0x61..<0x7B: return true
        case 0..<0xAA: return false
        default: break
        }
        let properties = scalar.properties
        if properties.isAlphabetic || properties.isJoinControl { return true }
        return switch properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: true
        default: false
        }
    }
}

/// Methods of Python's `str`, on scalars.
enum PythonText {
    /// `str.isspace`: white space, and U+001C to U+001F, which Unicode counts as controls.
    static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        CharacterClass(scalar) == .space || (0x1C..<0x20).contains(scalar.value)
    }

    /// `" ".join(text.split())`, which is also `re.sub(r"\s+", " ", text).strip()`.
    static func collapsingSpace(_ text: some Sequence<Unicode.Scalar>) -> [Unicode.Scalar] {
        var output = [Unicode.Scalar]()
        var isSpacePending = false
        for scalar in text {
            guard !isSpace(scalar) else {
                isSpacePending = !output.isEmpty
                continue
            }
            if isSpacePending { output.append(" ") }
            isSpacePending = false
            output.append(scalar)
        }
        return output
    }

    /// `str.strip`: without white space at the ends.
    static func stripping(_ text: some BidirectionalCollection<Unicode.Scalar>) -> [Unicode.Scalar] {
        Array(text.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
    }

    /// Drops `string.punctuation`: all printable ASCII that is neither letter, digit nor space.
    static func removingPunctuation(_ text: some Sequence<Unicode.Scalar>) -> [Unicode.Scalar] {
        text.filter { scalar in
            switch scalar.value {
            case 0x21..<0x30, 0x3A..<0x41, 0x5B..<0x61, 0x7B..<0x7F: false
            default: true
            }
        }
    }
}
