/// Splits text into words as GPT-2 and RoBERTa do: each word with the one space before it.
enum WordScanner {
    /// What it does by hand.
    static let pattern = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

    private static let contractions: [[Unicode.Scalar]] = ["s", "t", "re", "ve", "m", "ll", "d"].map {
        Array($0.unicodeScalars)
    }

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
