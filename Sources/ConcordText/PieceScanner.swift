/// Splits cleaned text into the pieces that are encoded one by one.
///
/// By hand what CLIP's pattern says: special literals, then contractions, runs of letters, single numbers, runs of
/// anything that is neither space, letter nor number.
struct PieceScanner {
    /// Literals that the pattern lists before all else, in order.
    let literals: [[Unicode.Scalar]]
    /// Whether ſ (U+017F) counts as s, as it does where the pattern ignores case.
    let foldsLongS: Bool

    private static let contractions: [[Unicode.Scalar]] = ["s", "t", "re", "ve", "m", "ll", "d"].map {
        Array($0.unicodeScalars)
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
                if scalar == "'", let tail = Self.contractions.first(where: { matches($0, text, at: position + 1) }) {
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
