/// One step that splits a text before the model sees it, as `pre_tokenizer` of `tokenizer.json` lists them.
enum PreTokenizer: Sendable {
    /// When `Metaspace` puts its mark before a part that does not begin with it.
    enum PrependScheme: String, Sendable {
        case always, first, never
    }

    /// At white space, and around each punctuation character.
    case bert
    /// At white space.
    case whitespaceSplit
    /// `\w+|[^\w\s]+`
    case whitespace
    case byteLevel(addsPrefixSpace: Bool, splitsWords: Bool)
    case metaspace(Unicode.Scalar, PrependScheme, splits: Bool)
    case punctuation(SplitBehavior)
    case digits(individually: Bool)
    case split(TextPattern, SplitBehavior, inverted: Bool)
    /// CLIP's two steps in one: `Split` by its pattern, then `ByteLevel`, which can only split the literals once more.
    case clip(CLIPScanner, splitsLiterals: Bool)

    /// Calls `body` with each part of a text, which is not empty; no part is.
    func forEachPart(of text: TextSlice, _ body: (TextSlice) -> Void) {
        switch self {
        case .bert: Self.splitAtSpace(text, isolating: BertCharacters.isPunctuation, body)
        case .whitespaceSplit: Self.splitAtSpace(text, isolating: { _ in false }, body)
        case .whitespace: Self.splitWords(text, body)
        case .byteLevel(let addsPrefixSpace, let splitsWords):
            let text = addsPrefixSpace && text.scalars.first != " " ? Self.prepending(" ", to: text) : text
            guard splitsWords else { return body(text) }
            WordScanner.forEachWord(in: text.scalars) { body(Self.part(of: text, $0)) }
        case .metaspace(let mark, let scheme, let splits):
            Self.markSpaces(of: text, mark, scheme, splits: splits, body)
        case .punctuation(let behavior):
            Self.split(text, at: BertCharacters.isPunctuation, behavior, body)
        case .digits(let individually):
            Self.split(
                text, at: { CharacterClass($0) == .number }, individually ? .isolated : .contiguous, body)
        case .split(let pattern, let behavior, let isInverted):
            var pieces = [(range: Range<Int>, isMatch: Bool)]()
            var position = text.scalars.startIndex
            pattern.forEachMatch(in: text.scalars) { range in
                if position < range.lowerBound { pieces.append((position..<range.lowerBound, isInverted)) }
                pieces.append((range, !isInverted))
                position = range.upperBound
            }
            if position < text.scalars.endIndex { pieces.append((position..<text.scalars.endIndex, isInverted)) }
            for range in behavior.parts(of: pieces) { body(Self.part(of: text, range)) }
        case .clip(let scanner, let splitsLiterals):
            scanner.forEachPiece(in: text.scalars) { piece, isLiteral in
                guard isLiteral, splitsLiterals else { return body(TextSlice(scalars: piece, isAtOrigin: false)) }
                WordScanner.forEachWord(in: piece) { body(TextSlice(scalars: piece[$0], isAtOrigin: false)) }
            }
        }
    }

    private static func part(of text: TextSlice, _ range: Range<Int>) -> TextSlice {
        TextSlice(
            scalars: text.scalars[range], isAtOrigin: text.isAtOrigin && range.lowerBound == text.scalars.startIndex)
    }

    private static func prepending(_ scalar: Unicode.Scalar, to text: TextSlice) -> TextSlice {
        TextSlice(scalars: ([scalar] + text.scalars)[...], isAtOrigin: text.isAtOrigin)
    }

    private static func splitAtSpace(
        _ text: TextSlice, isolating isIsolated: (Unicode.Scalar) -> Bool, _ body: (TextSlice) -> Void
    ) {
        let scalars = text.scalars
        var start = scalars.startIndex
        for position in scalars.indices {
            let scalar = scalars[position]
            let isSpace = CharacterClass(scalar) == .space
            guard isSpace || isIsolated(scalar) else { continue }
            if start < position { body(part(of: text, start..<position)) }
            if !isSpace { body(part(of: text, position..<position + 1)) }
            start = position + 1
        }
        if start < scalars.endIndex { body(part(of: text, start..<scalars.endIndex)) }
    }

    private static func splitWords(_ text: TextSlice, _ body: (TextSlice) -> Void) {
        var start = text.scalars.startIndex
        var kind: Bool?
        for position in text.scalars.indices {
            let scalar = text.scalars[position]
            let isWord = CharacterClass(scalar) == .space ? nil : BertCharacters.isWord(scalar)
            guard isWord != kind else { continue }
            if kind != nil { body(part(of: text, start..<position)) }
            start = position
            kind = isWord
        }
        if kind != nil { body(part(of: text, start..<text.scalars.endIndex)) }
    }

    private static func markSpaces(
        of text: TextSlice, _ mark: Unicode.Scalar, _ scheme: PrependScheme, splits: Bool,
        _ body: (TextSlice) -> Void
    ) {
        var marked = text
        if text.scalars.contains(" ") { marked.scalars = text.scalars.map { $0 == " " ? mark : $0 }[...] }
        if marked.scalars.first != mark, scheme == .always || (scheme == .first && text.isAtOrigin) {
            marked = prepending(mark, to: marked)
        }
        guard splits else { return body(marked) }
        // Each mark begins a part, but a mark that another follows stands alone.
        var start = marked.scalars.startIndex
        for position in marked.scalars.indices.dropFirst() where marked.scalars[position] == mark {
            body(part(of: marked, start..<position))
            start = position
        }
        body(part(of: marked, start..<marked.scalars.endIndex))
    }

    private static func split(
        _ text: TextSlice, at isMatch: (Unicode.Scalar) -> Bool, _ behavior: SplitBehavior,
        _ body: (TextSlice) -> Void
    ) {
        var pieces = [(range: Range<Int>, isMatch: Bool)]()
        for position in text.scalars.indices {
            if isMatch(text.scalars[position]) {
                pieces.append((position..<position + 1, true))
            } else if let last = pieces.last, !last.isMatch {
                pieces[pieces.count - 1].range = last.range.lowerBound..<position + 1
            } else {
                pieces.append((position..<position + 1, false))
            }
        }
        for range in behavior.parts(of: pieces) { body(part(of: text, range)) }
    }
}

/// A part of a normalized text on its way through the splitting steps of a pipeline.
struct TextSlice {
    var scalars: ArraySlice<Unicode.Scalar>
    /// Whether it begins with the first character of the whole text.
    var isAtOrigin: Bool
}

/// The treatment of the matches that a text is split at, as `tokenizer.json` names it.
enum SplitBehavior: String, Sendable {
    case removed = "Removed"
    case isolated = "Isolated"
    case mergedWithPrevious = "MergedWithPrevious"
    case mergedWithNext = "MergedWithNext"
    case contiguous = "Contiguous"

    /// The parts that matches and what lies between them (`false`) make, in order.
    func parts(of pieces: [(range: Range<Int>, isMatch: Bool)]) -> [Range<Int>] {
        switch self {
        case .removed: return pieces.filter { !$0.isMatch }.map(\.range)
        case .isolated: return pieces.map(\.range)
        case .contiguous: return Self.merging(pieces) { $0 == $1 }
        case .mergedWithPrevious: return Self.merging(pieces) { !$0 && $1 }
        case .mergedWithNext: return Self.merging(pieces) { $0 && !$1 }
        }
    }

    /// Joins neighbours for which `joins` of their two flags is true. A part that is joined joins by its last flag.
    private static func merging(
        _ pieces: [(range: Range<Int>, isMatch: Bool)], _ joins: (Bool, Bool) -> Bool
    ) -> [Range<Int>] {
        var parts = [Range<Int>]()
        var previous: Bool?
        for (range, isMatch) in pieces {
            if let previous, let last = parts.last, joins(previous, isMatch) {
                parts[parts.count - 1] = last.lowerBound..<range.upperBound
            } else {
                parts.append(range)
            }
            previous = isMatch
        }
        return parts
    }
}
