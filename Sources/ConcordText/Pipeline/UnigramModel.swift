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

    /// The number of bytes of a character, by its first.
    private static func characterLength(_ byte: UInt8) -> Int {
        byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
    }
}

/// The byte strings of a vocabulary as a tree, to find which of them begin at a place of a text.
///
/// The children of a node lie side by side, in the order of their bytes.
struct PieceTrie: Sendable {
    /// The first child of each node; the next node's first child ends them.
    private var firstChild: [Int32] = []
    /// The byte that leads to each node.
    private var labels: [UInt8] = []
    /// The value of the byte string that ends at each node; `absent` for most.
    private var values: [Int32] = []

    static let absent: Int32 = -1
    static let root = 0

    /// Makes the tree of keys, which must be different and not empty.
    init(_ keys: [(key: ArraySlice<UInt8>, value: Int32)]) {
        let keys = keys.sorted { $0.key.lexicographicallyPrecedes($1.key) }
        // Nodes in breadth-first order: each stands for the keys that share the bytes up to it.
        var queue: [(keys: Range<Int>, depth: Int)] = [(keys.indices, 0)]
        labels = [0]
        values = [Self.absent]
        var node = 0
        while node < queue.count {
            var (range, depth) = queue[node]
            if let first = range.first, keys[first].key.count == depth {
                values[node] = keys[first].value
                range = (first + 1)..<range.upperBound
            }
            firstChild.append(Int32(queue.count))
            var start = range.lowerBound
            while start < range.upperBound {
                let label = keys[start].key[keys[start].key.startIndex + depth]
                var end = start + 1
                while end < range.upperBound, keys[end].key[keys[end].key.startIndex + depth] == label { end += 1 }
                queue.append((start..<end, depth + 1))
                labels.append(label)
                values.append(Self.absent)
                start = end
            }
            node += 1
        }
        firstChild.append(Int32(queue.count))
    }

    /// The node after `node` by a byte.
    func child(of node: Int, _ byte: UInt8) -> Int? {
        var lower = Int(firstChild[node])
        var upper = Int(firstChild[node + 1])
        while upper - lower > 4 {
            let middle = (lower + upper) / 2
            if labels[middle] <= byte { lower = middle } else { upper = middle }
        }
        while lower < upper {
            if labels[lower] == byte { return lower }
            lower += 1
        }
        return nil
    }

    /// The value of the byte string that ends at a node, or `absent`.
    func value(at node: Int) -> Int32 { values[node] }

    /// The value of a whole byte string, or `absent`.
    func value(of key: ArraySlice<UInt8>) -> Int32 {
        var node = Self.root
        for byte in key {
            guard let next = child(of: node, byte) else { return Self.absent }
            node = next
        }
        return values[node]
    }

    /// The longest byte string that begins at `start` of a text: its end and its value.
    func longestMatch(in text: ArraySlice<UInt8>, from start: Int) -> (end: Int, value: Int32)? {
        var node = Self.root
        var longest: (end: Int, value: Int32)?
        for position in start..<text.endIndex {
            guard let next = child(of: node, text[position]) else { break }
            node = next
            if values[node] != Self.absent { longest = (position + 1, values[node]) }
        }
        return longest
    }
}
