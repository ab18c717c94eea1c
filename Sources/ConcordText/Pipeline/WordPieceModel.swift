/// BERT's model: the longest token that a word begins with, then the longest continuation, and so on.
struct WordPieceModel: Sendable {
    private let beginnings, continuations: PieceTrie
    private let unknown: Int32
    private let longestWord: Int

    /// - Parameters:
    ///   - vocabulary: the tokens by their bytes.
    ///   - prefix: what marks a token that continues a word, `##`.
    ///   - longestWord: words of more characters are unknown as a whole.
    init(vocabulary: [[UInt8]: Int32], unknown: Int32, prefix: String, longestWord: Int) {
        let keys = vocabulary.filter { !$0.key.isEmpty }.map { (key: $0.key[...], value: $0.value) }
        beginnings = PieceTrie(keys)
        continuations = PieceTrie(
            keys.filter { $0.key.count > prefix.utf8.count && $0.key.starts(with: prefix.utf8) }
                .map { ($0.key.dropFirst(prefix.utf8.count), $0.value) })
        self.unknown = unknown
        self.longestWord = longestWord
    }

    /// The tokens of a word; the unknown token alone when it cannot be put together.
    func encode(_ word: ArraySlice<UInt8>) -> [Int32] {
        // Each character has one byte that does not continue another.
        guard word.count <= longestWord || word.count(where: { $0 & 0xC0 != 0x80 }) <= longestWord else {
            return [unknown]
        }
        var ids = [Int32]()
        var position = word.startIndex
        while position < word.endIndex {
            let trie = position == word.startIndex ? beginnings : continuations
            guard let match = trie.longestMatch(in: word, from: position) else { return [unknown] }
            ids.append(match.value)
            position = match.end
        }
        return ids
    }
}
