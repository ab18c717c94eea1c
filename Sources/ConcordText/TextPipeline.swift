/// Cleans a text as one of the peers does, and splits it into special tokens and pieces.
struct TextPipeline: Sendable {
    /// What differs between the `tokenizer.json` files that CLIP models carry.
    struct Options: Sendable, Hashable {
        /// Whether the split pattern lists the special tokens' names (Transformers 5), so that `<|ENDOFTEXT|>!` is
        /// split behind the name, not before the exclamation mark only.
        var patternListsSpecialNames = true
        /// Whether the name of the start or end token is found in normalized text, so also in capitals.
        var normalizesStart = false
        var normalizesEnd = false
    }

    enum Unit {
        case start, end
        case piece(ArraySlice<Unicode.Scalar>)
    }

    private struct SpecialName {
        let scalars: [Unicode.Scalar]
        let unit: Unit
    }

    let mode: CLIPTokenizer.Mode
    let options: Options
    private let rawNames, normalizedNames: [SpecialName]
    private let scanner: PieceScanner
    private let pieceScanner = PieceScanner(literals: [], foldsLongS: false)

    init(mode: CLIPTokenizer.Mode, startName: String, endName: String, options: Options) {
        self.mode = mode
        self.options = options
        func literals(_ names: (start: String, end: String)) -> [[Unicode.Scalar]] {
            [Array(names.start.unicodeScalars), Array(names.end.unicodeScalars)]
        }
        switch mode {
        case .openai:
            // open_clip's names, whatever the vocabulary file calls its special tokens.
            let names = CLIPVocabulary.specialNames[1]
            scanner = PieceScanner(literals: literals(names), foldsLongS: true)
            rawNames = []
            normalizedNames = zip(literals(names), [Unit.start, .end]).map(SpecialName.init)
        case .huggingface:
            let patternNames = literals(CLIPVocabulary.specialNames[0])
            scanner = PieceScanner(
                literals: options.patternListsSpecialNames ? patternNames : [], foldsLongS: false)
            let names = zip(literals((startName, endName)), [Unit.start, .end]).map(SpecialName.init)
            let isNormalized = [options.normalizesStart, options.normalizesEnd]
            rawNames = zip(names, isNormalized).filter { !$1 }.map(\.0)
            normalizedNames = zip(names, isNormalized).filter(\.1).map(\.0)
        }
    }

    /// Calls `body` with each special token and each piece of a text, in order.
    func forEachUnit(of text: String, _ body: (Unit) -> Void) {
        let scalars = Array(text.unicodeScalars)
        switch mode {
        case .openai:
            // Collapsing white space, the peer's next step, changes no piece: white space only separates.
            let repaired = TextRepair.repaired(scalars)
            let cleaned = Normalization.lowercased(HTMLEntities.unescaped(HTMLEntities.unescaped(repaired)))
            scanner.forEachPiece(in: cleaned[...]) { piece, isLiteral in
                let special = isLiteral ? normalizedNames.first { piece.elementsEqual($0.scalars) } : nil
                body(special?.unit ?? .piece(piece))
            }
        case .huggingface:
            split(scalars[...], at: rawNames, body) { segment in
                let cleaned = Normalization.lowercasedEach(Normalization.composed(Array(segment)))
                split(cleaned[...], at: normalizedNames, body) { segment in
                    scanner.forEachPiece(in: segment) { piece, isLiteral in
                        guard isLiteral else { return body(.piece(piece)) }
                        // The byte-level step splits once more, by a pattern without the names.
                        pieceScanner.forEachPiece(in: piece) { part, _ in body(.piece(part)) }
                    }
                }
            }
        }
    }

    /// Cuts a text at the names of special tokens: `special` gets those, `rest` what lies between.
    private func split(
        _ text: ArraySlice<Unicode.Scalar>, at names: [SpecialName], _ special: (Unit) -> Void,
        rest: (ArraySlice<Unicode.Scalar>) -> Void
    ) {
        var start = text.startIndex
        var position = start
        while !names.isEmpty, let bracket = text[position...].firstIndex(of: "<") {
            guard let name = names.first(where: { text[bracket...].starts(with: $0.scalars) }) else {
                position = bracket + 1
                continue
            }
            if bracket > start { rest(text[start..<bracket]) }
            special(name.unit)
            start = bracket + name.scalars.count
            position = start
        }
        if start < text.endIndex { rest(text[start...]) }
    }
}
