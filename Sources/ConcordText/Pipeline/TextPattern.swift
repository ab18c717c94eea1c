/// The pattern of a `Replace` or `Split` of `tokenizer.json`: a literal, or one of the expressions that CLIP-family
/// tokenizers use.
enum TextPattern: Sendable {
    case literal([Unicode.Scalar])
    /// A run of one kind of character, as long as it gets: `\s+`, ` {2,}`, `\d{1,3}`.
    case run(of: Kind, counts: ClosedRange<Int>)
    /// The pattern of GPT-2.
    case words
    /// The pattern of CLIP, with or without the special names before it.
    case clip(CLIPScanner)

    enum Kind: Sendable, Hashable {
        case scalar(Unicode.Scalar)
        case space, digit

        func contains(_ scalar: Unicode.Scalar) -> Bool {
            switch self {
            case .scalar(let expected): scalar == expected
            case .space: CharacterClass(scalar) == .space
            case .digit: scalar.properties.generalCategory == .decimalNumber
            }
        }
    }

    /// Reads a regular expression; nil for one that is not supported.
    init?(regularExpression text: String) {
        if text == WordScanner.pattern {
            self = .words
            return
        }
        if text == CLIPScanner.pattern || text == CLIPScanner.patternWithoutNames {
            self = .clip(CLIPScanner(listsNames: text == CLIPScanner.pattern))
            return
        }
        var rest = Array(text.unicodeScalars)[...]
        var kinds = [Kind]()
        let meta = ".+*?()[]{}|^$\\".unicodeScalars
        while let first = rest.first {
            if first == "\\", let second = rest.dropFirst().first {
                rest = rest.dropFirst(2)
                switch second {
                case "s": kinds.append(.space)
                case "d": kinds.append(.digit)
                case "n": kinds.append(.scalar("\n"))
                case "t": kinds.append(.scalar("\t"))
                case "r": kinds.append(.scalar("\r"))
                case _ where meta.contains(second) || "-/# ".unicodeScalars.contains(second):
                    kinds.append(.scalar(second))
                default: return nil
                }
            } else if !meta.contains(first) {
                rest = rest.dropFirst()
                kinds.append(.scalar(first))
            } else {
                break
            }
        }
        if rest.isEmpty, !kinds.isEmpty, kinds.count > 1 || kinds[0].literal != nil {
            let literal = kinds.compactMap(\.literal)
            guard literal.count == kinds.count else { return nil }
            self = .literal(literal)
            return
        }
        guard kinds.count == 1, let counts = Self.counts(rest) else { return nil }
        self = .run(of: kinds[0], counts: counts)
    }

    /// The numbers of repetitions that a quantifier allows.
    private static func counts(_ quantifier: ArraySlice<Unicode.Scalar>) -> ClosedRange<Int>? {
        if quantifier.isEmpty { return 1...1 }
        if quantifier.elementsEqual("+".unicodeScalars) { return 1...Int.max }
        guard quantifier.first == "{", quantifier.last == "}" else { return nil }
        let parts = quantifier.dropFirst().dropLast().split(separator: ",", omittingEmptySubsequences: false).map {
            String(String.UnicodeScalarView($0))
        }
        guard let least = parts.first.flatMap({ Int($0) }), least > 0, parts.count < 3 else { return nil }
        if parts.count == 1 { return least...least }
        if parts[1].isEmpty { return least...Int.max }
        guard let most = Int(parts[1]), most >= least else { return nil }
        return least...most
    }

    /// Calls `body` with each match, from left to right; matches do not overlap.
    func forEachMatch(in text: ArraySlice<Unicode.Scalar>, _ body: (Range<Int>) -> Void) {
        switch self {
        case .literal(let literal):
            guard let first = literal.first else { return }
            var position = text.startIndex
            while position + literal.count <= text.endIndex {
                if text[position] == first, text[position...].starts(with: literal) {
                    body(position..<position + literal.count)
                    position += literal.count
                } else {
                    position += 1
                }
            }
        case .run(let kind, let counts):
            var position = text.startIndex
            while position < text.endIndex {
                var end = position
                while end < text.endIndex, end - position < counts.upperBound, kind.contains(text[end]) { end += 1 }
                if end - position >= counts.lowerBound { body(position..<end) }
                position = max(end, position + 1)
            }
        case .words:
            WordScanner.forEachWord(in: text, body)
        case .clip(let scanner):
            scanner.forEachPiece(in: text) { piece, _ in body(piece.startIndex..<piece.endIndex) }
        }
    }
}

extension TextPattern.Kind {
    fileprivate var literal: Unicode.Scalar? { if case .scalar(let scalar) = self { scalar } else { nil } }
}

/// Splits normalized text into pieces by CLIP's pattern: special literals, then contractions, runs of letters, single
/// numbers, runs of anything that is neither space, letter nor number.
struct CLIPScanner: Sendable {
    /// The pattern of Transformers 5, which lists the special names first, and that of Transformers 4.
    static let pattern = #"<\|startoftext\|>|<\|endoftext\|>|"# + patternWithoutNames
    static let patternWithoutNames = #"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"#

    /// Literals that the pattern lists before all else, in order.
    let literals: [[Unicode.Scalar]]
    /// Whether ſ (U+017F) counts as s, as it does where the pattern ignores case.
    let foldsLongS: Bool

    /// The scanner of Hugging Face's CLIP, with or without the special names in its pattern.
    init(listsNames: Bool) {
        literals = listsNames ? Self.scalars(CLIPVocabulary.specialNames[0]) : []
        foldsLongS = false
    }

    private init(literals: [[Unicode.Scalar]], foldsLongS: Bool) {
        self.literals = literals
        self.foldsLongS = foldsLongS
    }

    /// The scanner of open_clip, which has its own special names whatever the vocabulary calls them.
    static let openCLIP = CLIPScanner(literals: scalars(CLIPVocabulary.specialNames[1]), foldsLongS: true)

    private static func scalars(_ names: (start: String, end: String)) -> [[Unicode.Scalar]] {
        [Array(names.start.unicodeScalars), Array(names.end.unicodeScalars)]
    }

    /// Calls `body` with each piece in turn, and whether one of the literals made it.
    func forEachPiece(in text: ArraySlice<Unicode.Scalar>, _ body: (ArraySlice<Unicode.Scalar>, Bool) -> Void) {
        var position = text.startIndex
        while position < text.endIndex {
            let scalar = text[position]
            if scalar == "<", let literal = literals.first(where: { matches($0, text, at: position) }) {
                let end = position + literal.count
                body(text[position..<end], true)
                position = end
                continue
            }
            let start = position
            switch CharacterClass(scalar) {
            case .space:
                position += 1
                continue
            case .letter: position = endOfRun(of: .letter, in: text, from: position)
            case .number: position += 1
            case .other:
                if scalar == "'", let tail = contractions.first(where: { matches($0, text, at: position + 1) }) {
                    position += 1 + tail.count
                } else {
                    position = endOfRun(of: .other, in: text, from: position)
                }
            }
            body(text[start..<position], false)
        }
    }

    private func endOfRun(of kind: CharacterClass, in text: ArraySlice<Unicode.Scalar>, from start: Int) -> Int {
        var position = start + 1
        while position < text.endIndex, CharacterClass(text[position]) == kind { position += 1 }
        return position
    }

    private func matches(_ literal: [Unicode.Scalar], _ text: ArraySlice<Unicode.Scalar>, at start: Int) -> Bool {
        guard start + literal.count <= text.endIndex else { return false }
        for (offset, expected) in literal.enumerated() {
            let found = text[start + offset]
            guard found == expected || (foldsLongS && expected == "s" && found == "\u{17F}") else { return false }
        }
        return true
    }
}

/// Splits text into words as GPT-2 and RoBERTa do: each word with the one space before it.
enum WordScanner {
    /// The regular expression that it follows by hand.
    static let pattern = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

    /// Calls `body` with each match of the pattern; together they cover the text.
    static func forEachWord(in text: ArraySlice<Unicode.Scalar>, _ body: (Range<Int>) -> Void) {
        var position = text.startIndex
        while position < text.endIndex {
            let end = endOfWord(in: text, from: position)
            body(position..<end)
            position = end
        }
    }

    private static func endOfWord(in text: ArraySlice<Unicode.Scalar>, from start: Int) -> Int {
        if text[start] == "'" {
            let rest = text[(start + 1)...]
            if let tail = contractions.first(where: { rest.starts(with: $0) }) { return start + 1 + tail.count }
        }
        let first = text[start] == " " && start + 1 < text.endIndex ? start + 1 : start
        let kind = CharacterClass(text[first])
        if kind != .space { return endOfRun(of: kind, in: text, from: first) }
        let end = endOfRun(of: .space, in: text, from: start)
        // `\s+(?!\S)`: the last white character before a word is left to the word, unless it is the only one.
        return end < text.endIndex && end - start > 1 ? end - 1 : end
    }

    private static func endOfRun(of kind: CharacterClass, in text: ArraySlice<Unicode.Scalar>, from start: Int) -> Int {
        var position = start
        while position < text.endIndex, CharacterClass(text[position]) == kind { position += 1 }
        return position
    }
}

/// The endings after an apostrophe that both patterns split off.
private let contractions = ["s", "t", "re", "ve", "m", "ll", "d"].map { Array($0.unicodeScalars) }
