/// SentencePiece's unigram model: of all ways to cut a text into tokens the one with the largest sum of scores.
///
/// Follows `encode_optimized` of `models/unigram/model.rs` of `tokenizers`, ties included, with `Double` for the scores;
/// with `Float` it is the same function of sentencepiece 0.2.3. Between them some ties differ by their rounding.
struct UnigramModel<Score: BinaryFloatingPoint & Sendable>: Sendable {
    private let trie: PieceTrie
    private let scores: [Score]
    private let unknown: Int32
    private let unknownScore: Score
    /// The tokens `<0x00>` to `<0xFF>` for unknown characters; nil without `byte_fallback`, or when one is missing.
    private let byteTokens: [Int32?]?

    /// - Parameters:
    ///   - vocabulary: the tokens by their bytes.
    ///   - scores: the logarithm of each token's probability, by id.
    ///   - smallestScore: an unknown character has one that is smaller by 10.
    init(
        vocabulary: [[UInt8]: Int32], scores: [Score], smallestScore: Score, unknown: Int32, fallsBackToBytes: Bool
    ) {
        trie = PieceTrie(vocabulary.filter { !$0.key.isEmpty }.map { (key: $0.key[...], value: $0.value) })
        self.scores = scores
        self.unknown = unknown
        unknownScore = smallestScore - 10
        byteTokens = fallsBackToBytes ? ByteSymbols.fallbackTokens(vocabulary) : nil
    }

    /// The best way to reach a place of the text.
    private struct Node {
        var score: Score = 0
        var start = -1
        var token: Int32 = 0
    }

    func encode(_ text: ArraySlice<UInt8>) -> [Int32] {
        let base = text.startIndex
        var best = [Node](repeating: Node(), count: text.count + 1)
        func offer(_ end: Int, _ score: Score, _ start: Int, _ token: Int32) {
            if best[end - base].start < 0 || score > best[end - base].score {
                best[end - base] = Node(score: score, start: start, token: token)
            }
        }
        var position = base
        while position < text.endIndex {
            let scoreSoFar = best[position - base].score
            let length = Self.characterLength(text[position])
            var hasSingle = false
            var node = PieceTrie.root
            for end in position..<text.endIndex {
                guard let next = trie.child(of: node, text[end]) else { break }
                node = next
                let token = trie.value(at: node)
                guard token != PieceTrie.absent else { continue }
                offer(end + 1, scores[Int(token)] + scoreSoFar, position, token)
                if end + 1 - position == length { hasSingle = true }
            }
            if !hasSingle { offer(position + length, unknownScore + scoreSoFar, position, unknown) }
            position += length
        }

        var pieces = [(range: Range<Int>, token: Int32)]()
        var end = text.endIndex
        while end > base {
            let node = best[end - base]
            // Neighbours that are unknown make one token.
            if node.token == unknown, let last = pieces.last, last.token == unknown {
                pieces[pieces.count - 1].range = node.start..<last.range.upperBound
            } else {
                pieces.append((node.start..<end, node.token))
            }
            end = node.start
        }
        var ids = [Int32]()
        for (range, token) in pieces.reversed() {
            guard token == unknown else {
                ids.append(token)
                continue
            }
            let whole = trie.value(of: text[range])
            if whole != PieceTrie.absent {
                ids.append(whole)
            } else if let byteTokens, let tokens = Self.all(text[range].map { byteTokens[Int($0)] }) {
                ids += tokens
            } else {
                ids.append(unknown)
            }
        }
        return ids
    }

    private static func all(_ tokens: [Int32?]) -> [Int32]? {
        let found = tokens.compactMap { $0 }
        return found.count == tokens.count ? found : nil
    }

    /// How many bytes a character has, by its first.
    private static func characterLength(_ byte: UInt8) -> Int {
        byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
    }
}
