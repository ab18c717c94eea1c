import ConcordCore

/// Byte-pair encoding as `model` of `tokenizer.json` describes it: over bytes (GPT-2, RoBERTa) or over characters
/// with bytes for unknown ones (Gemma).
struct BPEModel: Sendable {
    struct Options: Sendable {
        /// Whether pieces are spelled in bytes (``ByteSymbols``).
        var isByteLevel = false
        /// What marks the last character of a word.
        var suffix = ""
        var unknown: Int32?
        var fusesUnknown = false
        var fallsBackToBytes = false
        /// Whether a piece that is a token is taken as it is.
        var ignoresMerges = false
    }

    private let options: Options
    private let merges: MergeTable
    /// The token of each character, and that of each character at the end of a word.
    private let inner, last: [Unicode.Scalar: Int32]
    private let byteTokens: [Int32?]
    private let whole: [[UInt8]: Int32]

    /// - Throws: `.invalidTokenizer` for a merge of tokens that the vocabulary lacks, or one that is listed twice.
    init(
        vocabulary: [[UInt8]: Int32], merges pairs: [(left: String, right: String)], options: Options, source: String
    ) throws(ConcordError) {
        func failure(_ problem: String) -> ConcordError { .init(.invalidTokenizer, "\(source): \(problem)") }
        var merges = MergeTable(capacity: pairs.count)
        for (rank, pair) in pairs.enumerated() {
            let names = [pair.left, pair.right, pair.left + pair.right]
            var ids = [Int32]()
            for name in names {
                guard let id = vocabulary[Array(name.utf8)] else {
                    throw failure("merge \(rank) (\"\(pair.left) \(pair.right)\") needs the unknown token \"\(name)\"")
                }
                ids.append(id)
            }
            guard merges.insert(ids[0], ids[1], rank: rank, makes: ids[2]) else {
                throw failure("merge \(rank) (\"\(pair.left) \(pair.right)\") is listed twice")
            }
        }
        var inner = [Unicode.Scalar: Int32]()
        var last = [Unicode.Scalar: Int32]()
        let suffix = Array(options.suffix.unicodeScalars)
        for (key, id) in vocabulary {
            let scalars = String(decoding: key, as: UTF8.self).unicodeScalars
            guard let first = scalars.first, key.count <= 4 + options.suffix.utf8.count else { continue }
            if scalars.dropFirst().isEmpty { inner[first] = id }
            if scalars.dropFirst().elementsEqual(suffix) { last[first] = id }
        }
        let byteTokens = options.fallsBackToBytes ? ByteSymbols.fallbackTokens(vocabulary) : []
        // Without an unknown token a character that the vocabulary lacks would be lost in silence.
        if options.unknown == nil {
            if options.isByteLevel {
                for (byte, scalar) in ByteSymbols.scalars.enumerated() where inner[scalar] == nil || last[scalar] == nil
                {
                    throw failure("it lacks the token \"\(scalar)\" of byte \(byte), and has no unknown token for it")
                }
            } else if byteTokens.isEmpty || byteTokens.contains(nil) {
                throw failure("it has no unknown token, and not every character has a token")
            }
        }
        self.merges = merges
        self.inner = inner
        self.last = last
        self.options = options
        self.byteTokens = byteTokens
        whole = options.ignoresMerges ? vocabulary : [:]
    }

    func encode(_ piece: ArraySlice<UInt8>) -> [Int32] {
        let scalars =
            options.isByteLevel
            ? piece.map { ByteSymbols.scalars[Int($0)] }
            : Array(String(decoding: piece, as: UTF8.self).unicodeScalars)
        if options.ignoresMerges {
            var spelling = [UInt8]()
            for scalar in scalars { spelling.append(utf8Of: scalar) }
            if let token = whole[spelling] { return [token] }
        }
        var symbols = [Int32]()
        symbols.reserveCapacity(scalars.count)
        var isUnknownPending = false
        for (index, scalar) in scalars.enumerated() {
            let isLast = index == scalars.count - 1
            if let token = isLast ? last[scalar] : inner[scalar] {
                if isUnknownPending, let unknown = options.unknown { symbols.append(unknown) }
                isUnknownPending = false
                symbols.append(token)
            } else if options.fallsBackToBytes, let bytes = bytes(of: scalar, endsWord: isLast) {
                // As in the peer, an unknown character before these comes to stand behind them.
                symbols += bytes
            } else if let unknown = options.unknown {
                if isUnknownPending, !options.fusesUnknown { symbols.append(unknown) }
                isUnknownPending = true
            }
        }
        if isUnknownPending, let unknown = options.unknown { symbols.append(unknown) }
        return BytePairEncoder.merge(symbols, merges)
    }

    /// The tokens of a character's bytes; nil when one has none.
    private func bytes(of scalar: Unicode.Scalar, endsWord: Bool) -> [Int32]? {
        var spelling = [UInt8]()
        spelling.append(utf8Of: scalar)
        if endsWord { spelling += Array(options.suffix.utf8) }
        var tokens = [Int32]()
        for byte in spelling {
            guard let token = byteTokens[Int(byte)] else { return nil }
            tokens.append(token)
        }
        return tokens
    }
}

extension ByteSymbols {
    /// The tokens `<0x00>` to `<0xFF>` of a vocabulary, by byte.
    static func fallbackTokens(_ vocabulary: [[UInt8]: Int32]) -> [Int32?] {
        (0..<256).map { byte in
            let digits = String(byte, radix: 16, uppercase: true)
            return vocabulary[Array("<0x\(digits.count < 2 ? "0" : "")\(digits)>".utf8)]
        }
    }
}

/// Merges the symbols of one piece into tokens.
enum BytePairEncoder {
    /// The tokens of a piece, at least one byte long.
    static func encode(_ piece: some Collection<UInt8>, _ vocabulary: CLIPVocabulary) -> [Int32] {
        var symbols = piece.map { vocabulary.byteTokens[Int($0)] }
        guard let lastByte = piece.dropFirst(symbols.count - 1).first else { return [] }
        symbols[symbols.count - 1] = vocabulary.byteTokens[256 + Int(lastByte)]
        return merge(symbols, vocabulary.table)
    }

    /// Merges symbols: always the merge of lowest rank next, the leftmost first.
    ///
    /// O(n log n) in the symbols: a heap of possible merges over a linked list.
    static func merge(_ symbols: [Int32], _ table: MergeTable) -> [Int32] {
        guard symbols.count > 1 else { return symbols }
        var symbols = symbols
        let count = symbols.count
        var next = (1...count).map { Int32($0) }
        var previous = (-1..<count - 1).map { Int32($0) }
        // Rank in the upper half, position in the lower: the order in which merges happen.
        var candidates = BinaryHeap<UInt64>()
        func propose(_ left: Int, _ right: Int) {
            guard left >= 0, right < count, let merge = table.merge(symbols[left], symbols[right]) else { return }
            candidates.insert(UInt64(merge.rank) << 32 | UInt64(left))
        }
        for position in 0..<(count - 1) { propose(position, position + 1) }

        let absorbed: Int32 = -1
        while let candidate = candidates.popFirst() {
            let left = Int(candidate & 0xFFFF_FFFF)
            let right = Int(next[left])
            // A neighbour may have been merged since; then the rank at this place has changed.
            guard symbols[left] != absorbed, right < count, let merge = table.merge(symbols[left], symbols[right]),
                merge.rank == UInt32(candidate >> 32)
            else { continue }
            symbols[left] = merge.token
            symbols[right] = absorbed
            let following = Int(next[right])
            next[left] = Int32(following)
            if following < count { previous[following] = Int32(left) }
            propose(Int(previous[left]), left)
            propose(left, following)
        }
        symbols.removeAll { $0 == absorbed }
        return symbols
    }
}

/// The merges of a byte-pair encoding: from a pair of token ids to the merge's rank and the token it makes.
///
/// Open addressing in flat arrays; a lookup is several times faster than in a `Dictionary`, and encoding does little
/// else.
struct MergeTable: Sendable {
    private var keys: [UInt64]
    private var values: [UInt64]
    private let mask: Int
    private let shift: UInt64
    private static let empty = UInt64.max

    init(capacity: Int) {
        let bits = UInt64(max(4, Int.bitWidth - (capacity * 2).leadingZeroBitCount))
        keys = [UInt64](repeating: Self.empty, count: 1 << bits)
        values = [UInt64](repeating: 0, count: 1 << bits)
        mask = keys.count - 1
        shift = 64 - bits
    }

    /// Adds the merge of `rank`; returns false when the pair has one already. At most `capacity` may be added.
    mutating func insert(_ left: Int32, _ right: Int32, rank: Int, makes token: Int32) -> Bool {
        let slot = slot(of: Self.key(left, right))
        guard keys[slot] == Self.empty else { return false }
        keys[slot] = Self.key(left, right)
        values[slot] = UInt64(rank) << 32 | UInt64(UInt32(bitPattern: token))
        return true
    }

    /// The merge of a pair, if there is one.
    func merge(_ left: Int32, _ right: Int32) -> (rank: UInt32, token: Int32)? {
        let slot = slot(of: Self.key(left, right))
        guard keys[slot] != Self.empty else { return nil }
        let value = values[slot]
        return (UInt32(value >> 32), Int32(bitPattern: UInt32(truncatingIfNeeded: value)))
    }

    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    /// Where the key stands, or the free place where it would.
    private func slot(of key: UInt64) -> Int {
        // Fibonacci hashing: the top bits of the product depend on all bits of the key.
        var slot = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> shift)
        while keys[slot] != key, keys[slot] != Self.empty { slot = (slot + 1) & mask }
        return slot
    }
}

/// A priority queue: `popFirst` gives the smallest element.
struct BinaryHeap<Element: Comparable> {
    private var elements = [Element]()

    mutating func insert(_ element: Element) {
        elements.append(element)
        var child = elements.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard elements[child] < elements[parent] else { return }
            elements.swapAt(child, parent)
            child = parent
        }
    }

    mutating func popFirst() -> Element? {
        guard let last = elements.popLast() else { return nil }
        guard let first = elements.first else { return last }
        elements[0] = last
        var parent = 0
        while true {
            let left = 2 * parent + 1
            guard left < elements.count else { return first }
            let right = left + 1
            let child = right < elements.count && elements[right] < elements[left] ? right : left
            guard elements[child] < elements[parent] else { return first }
            elements.swapAt(child, parent)
            parent = child
        }
    }
}
