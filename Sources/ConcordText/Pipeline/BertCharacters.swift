/// The classes of characters that BERT's cleaning and splitting know, as the `tokenizers` library has them.
///
/// Its tables are those of Unicode 8 (categories) and 9 (combining marks); what came later is in no class there.
enum BertCharacters {
    /// What `clean_text` drops: controls but tab and line ends, format characters, private use, NUL and U+FFFD.
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

    /// What `strip_accents` drops after decomposition: category Mn.
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

    /// What the normalizer `StripAccents` drops: category M.
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
