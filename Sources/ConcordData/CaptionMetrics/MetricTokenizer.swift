/// Makes captions into tokens for metrics, much as coco-caption does with Stanford's Penn Treebank tokenizer.
///
/// Text is taken in lower case. Then:
/// - Words end at white space and punctuation. Hyphens and apostrophes inside words stay ("t-shirt", "o'clock"), as do
///   points, commas and colons inside numbers ("3.5", "1,000", "10:30") and points inside initials ("u.s").
/// - English contractions are two tokens: "do n't", "it 's", "can not", "gon na"; also where a space is there already.
/// - Each Chinese, Japanese or Korean character is a token: Han, kana, Hangul and bopomofo. Texts in these scripts are
///   so compared character by character, and figures do not depend on a dictionary of words.
/// - Other symbols ("&", "%", "$", emoji) are tokens, each by itself. Other punctuation goes.
///
/// Unlike the peer: brackets go (the peer means to drop them and keeps "-lrb-"), words with a slash are split at it,
/// abbreviations lose their last point ("mr", not "mr."), and web addresses are split. Scripts that write without
/// spaces beside those named, such as Thai, are not split.
package enum MetricTokenizer {
    /// The tokens of a caption, in order; none for a text without words and symbols.
    package static func tokens(of text: String) -> [String] {
        let characters = text.lowercased().map { plain[$0] ?? $0 }
        var tokens = [String]()
        var position = 0
        while position < characters.count {
            let start = position
            position += 1
            switch Kind(characters[start]) {
            case .ignored:
                // Decoders of byte pairs and texts that were tokenized before write "man 's".
                let end = characters[position...].firstIndex { Kind($0) != .word } ?? characters.count
                let ending = String(characters[start..<end])
                guard endings.contains(ending) else { continue }
                tokens.append(ending)
                position = end
            case .single: tokens.append(String(characters[start]))
            case .word:
                while position < characters.count {
                    if Kind(characters[position]) == .word {
                        position += 1
                    } else if joins(characters, at: position, wordStart: start) {
                        position += 2
                    } else {
                        break
                    }
                }
                tokens += parts(of: String(characters[start..<position]))
            }
        }
        return tokens
    }

    /// Typographic apostrophes and hyphens, and what tokens have for them.
    private static let plain: [Character: Character] = [
        "’": "'", "‘": "'", "ʼ": "'", "＇": "'", "‐": "-", "‑": "-", "－": "-",
    ]

    private enum Kind {
        /// Part of a word, a token by itself, or neither.
        case word, single, ignored

        init(_ character: Character) {
            // A character's marks do not change what it is.
            let scalar = character.unicodeScalars[character.unicodeScalars.startIndex]
            if scalar.isASCII {
                self =
                    character.isLetter || character.isNumber || character == "_"
                    ? .word : Kind.asciiSymbols.contains(scalar) ? .single : .ignored
                return
            }
            switch scalar.properties.generalCategory {
            case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
                .finalPunctuation, .otherPunctuation, .spaceSeparator, .lineSeparator, .paragraphSeparator, .control,
                .format, .surrogate:
                self = .ignored
            // Emoji that are newer than the tables are not assigned.
            case .mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol, .privateUse, .unassigned: self = .single
            default: self = Kind.standsAlone(scalar) ? .single : .word
            }
        }

        /// Those that Unicode has as punctuation and the peer keeps stand here, too.
        private static let asciiSymbols = Set("#$%&*+<=>@^|~/\\".unicodeScalars)

        private static func standsAlone(_ scalar: Unicode.Scalar) -> Bool {
            if scalar.properties.isIdeographic { return true }
            return switch scalar.value {
            case 0x1100...0x11FF, 0xA960...0xA97F, 0xAC00...0xD7FF, 0xFFA0...0xFFDC: true  // Hangul
            case 0x3005, 0x3031...0x3035, 0x303B...0x303C: true  // marks of repetition
            case 0x3041...0x30FF, 0x31F0...0x31FF, 0xFF66...0xFF9F, 0x1AFF0...0x1B16F: true  // kana
            case 0x3100...0x318F, 0x31A0...0x31BF: true  // bopomofo, Hangul letters
            default: false
            }
        }
    }

    /// Whether the character at `position`, which no word has elsewhere, joins what stands before and after it.
    private static func joins(_ characters: [Character], at position: Int, wordStart: Int) -> Bool {
        guard position + 1 < characters.count, Kind(characters[position + 1]) == .word else { return false }
        let before = characters[position - 1], after = characters[position + 1]
        switch characters[position] {
        case "-", "'": return true
        case ",", ":": return before.isNumber && after.isNumber
        case ".":
            if before.isNumber, after.isNumber { return true }
            // Initials: single letters on both sides.
            let isSingleBefore = position - 1 == wordStart || characters[position - 2] == "."
            let isSingleAfter = position + 2 == characters.count || Kind(characters[position + 2]) != .word
            return before.isLetter && after.isLetter && isSingleBefore && isSingleAfter
        default: return false
        }
    }

    private static let compounds = [
        "cannot": ["can", "not"], "gonna": ["gon", "na"], "gotta": ["got", "ta"], "wanna": ["wan", "na"],
        "gimme": ["gim", "me"], "lemme": ["lem", "me"],
    ]
    private static let endings = ["n't", "'s", "'re", "'ve", "'ll", "'d", "'m"]

    /// A word without the contractions at its end, and those.
    private static func parts(of word: String) -> [String] {
        if let parts = compounds[word] { return parts }
        var stem = word[...]
        var parts = [String]()
        // The last comes off first: "would n't 've".
        while let ending = endings.first(where: { stem.hasSuffix($0) && stem.count > $0.count }) {
            stem = stem.dropLast(ending.count)
            parts.insert(ending, at: 0)
        }
        return [String(stem)] + parts
    }
}
