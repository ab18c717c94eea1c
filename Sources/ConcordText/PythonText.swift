/// What Python's `str` methods do, on scalars.
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
