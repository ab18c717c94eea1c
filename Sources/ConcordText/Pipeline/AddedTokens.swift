/// The tokens that are cut out of a text before the model sees it: special tokens, and words added to a vocabulary.
///
/// Follows `tokenizer/added_vocabulary.rs` of `tokenizers`: of the tokens that match at the leftmost place the longest
/// counts, and a match that is no single word where it should be is passed over as a whole.
struct AddedTokens: Sendable {
    struct Token: Sendable {
        let name: String
        let id: Int32
        var isSingleWord = false
        var stripsLeft = false
        var stripsRight = false
        /// Whether it is looked for in normalized text.
        var isNormalized = false
        /// Whether decoding leaves it out.
        var isSpecial = true
    }

    enum Part {
        case token(Int32)
        case text(ArraySlice<Unicode.Scalar>)
    }

    /// Finds tokens of one kind, raw or normalized.
    struct Finder: Sendable {
        private struct Entry: Sendable {
            let spelling: [Unicode.Scalar]
            let token: Token
        }

        /// By the first character; the longest spelling first.
        private var entries = [Unicode.Scalar: [Entry]]()
        /// Whether each character below U+0080 begins a token, so that most text needs no look-up.
        private var isFirst = [Bool](repeating: false, count: 128)
        private var isFirstBeyond = false

        init(_ tokens: [(spelling: [Unicode.Scalar], token: Token)]) {
            for (spelling, token) in tokens {
                guard let first = spelling.first else { continue }
                entries[first, default: []].append(Entry(spelling: spelling, token: token))
            }
            for first in entries.keys {
                entries[first]?.sort { $0.spelling.count > $1.spelling.count }
                if first.isASCII { isFirst[Int(first.value)] = true } else { isFirstBeyond = true }
            }
        }

        private func mayBegin(_ scalar: Unicode.Scalar) -> Bool {
            scalar.isASCII ? isFirst[Int(scalar.value)] : isFirstBeyond
        }

        /// Cuts a text at the tokens.
        func forEachPart(of text: ArraySlice<Unicode.Scalar>, _ body: (Part) -> Void) {
            var start = text.startIndex
            var position = start
            while !entries.isEmpty, position < text.endIndex {
                guard mayBegin(text[position]),
                    let entry = entries[text[position]]?.first(where: { text[position...].starts(with: $0.spelling) })
                else {
                    position += 1
                    continue
                }
                var lower = position
                var upper = position + entry.spelling.count
                position = upper
                if entry.token.isSingleWord {
                    let joinsLeft = lower > text.startIndex && BertCharacters.isWord(text[lower - 1])
                    let joinsRight = upper < text.endIndex && BertCharacters.isWord(text[upper])
                    if joinsLeft || joinsRight { continue }
                }
                if entry.token.stripsLeft {
                    while lower > start, CharacterClass(text[lower - 1]) == .space { lower -= 1 }
                }
                if entry.token.stripsRight {
                    while upper < text.endIndex, CharacterClass(text[upper]) == .space { upper += 1 }
                }
                if start < lower { body(.text(text[start..<lower])) }
                body(.token(entry.token.id))
                start = upper
            }
            if start < text.endIndex { body(.text(text[start...])) }
        }
    }

    let tokens: [Token]
    let raw, normalized: Finder
    /// The ids that decoding leaves out.
    let specialIDs: Set<Int32>
    /// Normalized names of tokens, which decoding puts instead of their names.
    let decodedNames: [Int32: String]

    /// - Parameters:
    ///   - areFound: whether the names of the tokens in a text stand for the tokens.
    ///   - normalize: what happens to a text, and so to the names that are looked for in normalized text.
    init(_ tokens: [Token], areFound: Bool = true, normalizing normalize: (inout NormalizedText) -> Void) {
        self.tokens = tokens
        let rawTokens = tokens.filter { areFound && !$0.isNormalized }
        raw = Finder(rawTokens.map { (Array($0.name.unicodeScalars), $0) })
        let normalizedTokens = tokens.filter { areFound && $0.isNormalized }.map { token in
            var text = NormalizedText(scalars: Array(token.name.unicodeScalars), originCount: 1)
            normalize(&text)
            return (spelling: text.scalars, token: token)
        }
        normalized = Finder(normalizedTokens)
        let decodedNames = Dictionary(
            normalizedTokens.map { ($0.token.id, String(String.UnicodeScalarView($0.spelling))) },
            uniquingKeysWith: { first, _ in first })
        self.decodedNames = decodedNames
        // As in the peer, a special token is known again by its name, which normalization may have changed.
        let specialNames = Set(tokens.filter(\.isSpecial).map { Array($0.name.utf8) })
        specialIDs = Set(
            tokens.filter { specialNames.contains(Array((decodedNames[$0.id] ?? $0.name).utf8)) }.map(\.id))
    }
}
