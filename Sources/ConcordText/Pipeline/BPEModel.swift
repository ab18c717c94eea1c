import ConcordCore

/// Byte-pair encoding as `model` of `tokenizer.json` describes it: over bytes (CLIP, GPT-2, RoBERTa), or over characters
/// with bytes for unknown ones (Gemma).
struct BPEModel: Sendable {
    struct Options: Sendable {
        /// Whether pieces are spelled in bytes (``ByteSymbols``).
        var isByteLevel = false
        /// The mark at the end of a word's last character.
        var suffix = ""
        var unknown: Int32?
        var fusesUnknown = false
        var fallsBackToBytes = false
        /// Whether a piece that is a token is taken as it is.
        var ignoresMerges = false
    }

    private let options: Options
    private let merges: MergeTable
    /// Pieces that are tokens as they stand, by their bytes.
    private let wholePieces: [[UInt8]: Int32]
    /// The token of each byte, then that of each byte at the end of a word: 512 ids, where pieces are spelled in bytes
    /// and each byte has one. Otherwise empty.
    private let byteSymbols: [Int32]
    /// The token of each character, and that of each character at the end of a word.
    private let inner, last: [Unicode.Scalar: Int32]
    /// The tokens that stand for single bytes of unknown characters.
    private let fallbackTokens: [Int32?]

    /// A model of merges by name.
    ///
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
        try self.init(vocabulary: vocabulary, merges: merges, options: options, source: source)
    }

    /// A model of a table of merges.
    ///
    /// - Parameter wholePieces: pieces that are never merged, and their tokens.
    /// - Throws: `.invalidTokenizer` where a character could be lost: it has no token, and there is no unknown token.
    init(
        vocabulary: [[UInt8]: Int32], merges: MergeTable, options: Options, wholePieces: [[UInt8]: Int32] = [:],
        source: String
    ) throws(ConcordError) {
        func failure(_ problem: String) -> ConcordError { .init(.invalidTokenizer, "\(source): \(problem)") }
        var inner = [Unicode.Scalar: Int32]()
        var last = [Unicode.Scalar: Int32]()
        let suffix = Array(options.suffix.unicodeScalars)
        for (key, id) in vocabulary where key.count <= 4 + options.suffix.utf8.count {
            let scalars = String(decoding: key, as: UTF8.self).unicodeScalars
            guard let first = scalars.first else { continue }
            if scalars.dropFirst().isEmpty { inner[first] = id }
            if scalars.dropFirst().elementsEqual(suffix) { last[first] = id }
        }
        let fallbackTokens = options.fallsBackToBytes ? ByteSymbols.fallbackTokens(vocabulary) : []
        var byteSymbols = [Int32?]()
        if options.isByteLevel {
            for (tokens, suffix) in [(inner, ""), (last, options.suffix)] {
                for (byte, scalar) in ByteSymbols.scalars.enumerated() {
                    let token = tokens[scalar]
                    if token == nil, options.unknown == nil {
                        throw failure(
                            "it lacks the token \"\(scalar)\(suffix)\" of byte \(byte), and has no unknown token for it"
                        )
                    }
                    // Unknown bytes side by side would become one token where they are fused.
                    let needsCare = options.fusesUnknown || options.fallsBackToBytes
                    byteSymbols.append(token ?? (needsCare ? nil : options.unknown))
                }
            }
        } else if options.unknown == nil, fallbackTokens.isEmpty || fallbackTokens.contains(nil) {
            throw failure("it has no unknown token, and not every character has a token")
        }
        self.byteSymbols = byteSymbols.contains(nil) ? [] : byteSymbols.compactMap { $0 }
        self.merges = merges
        self.inner = inner
        self.last = last
        self.options = options
        self.fallbackTokens = fallbackTokens
        self.wholePieces = options.ignoresMerges ? Self.pieces(of: vocabulary, options) : wholePieces
    }

    /// The tokens of a vocabulary by the bytes of the texts that they stand for.
    private static func pieces(of vocabulary: [[UInt8]: Int32], _ options: Options) -> [[UInt8]: Int32] {
        guard options.isByteLevel else { return vocabulary }
        var pieces = [[UInt8]: Int32](minimumCapacity: vocabulary.count)
        for (key, id) in vocabulary {
            let spelling = String(decoding: key, as: UTF8.self).unicodeScalars
            if let bytes = ByteSymbols.bytes(of: spelling) { pieces[bytes] = id }
        }
        return pieces
    }

    /// The tokens of a piece of text, in UTF-8.
    func encode(_ piece: ArraySlice<UInt8>) -> [Int32] {
        if !wholePieces.isEmpty, let token = wholePieces[Array(piece)] { return [token] }
        guard !byteSymbols.isEmpty else { return merges.merged(symbols(of: piece)) }
        var symbols = piece.map { byteSymbols[Int($0)] }
        if let lastByte = piece.last { symbols[symbols.count - 1] = byteSymbols[256 + Int(lastByte)] }
        return merges.merged(symbols)
    }

    /// The tokens of a piece's characters before any merge.
    private func symbols(of piece: ArraySlice<UInt8>) -> [Int32] {
        let scalars =
            options.isByteLevel
            ? piece.map { ByteSymbols.scalars[Int($0)] }
            : Array(String(decoding: piece, as: UTF8.self).unicodeScalars)
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
                // As in the peer, an unknown character before these comes to stand after them.
                symbols += bytes
            } else if let unknown = options.unknown {
                if isUnknownPending, !options.fusesUnknown { symbols.append(unknown) }
                isUnknownPending = true
            }
        }
        if isUnknownPending, let unknown = options.unknown { symbols.append(unknown) }
        return symbols
    }

    /// The tokens of a character's bytes; nil when one has none.
    private func bytes(of scalar: Unicode.Scalar, endsWord: Bool) -> [Int32]? {
        var spelling = [UInt8]()
        spelling.append(utf8Of: scalar)
        if endsWord { spelling += Array(options.suffix.utf8) }
        var tokens = [Int32]()
        for byte in spelling {
            guard let token = fallbackTokens[Int(byte)] else { return nil }
            tokens.append(token)
        }
        return tokens
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

    /// The place of a key, or the free place for it.
    private func slot(of key: UInt64) -> Int {
        // Fibonacci hashing: the top bits of the product depend on all bits of the key.
        var slot = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> shift)
        while keys[slot] != key, keys[slot] != Self.empty { slot = (slot + 1) & mask }
        return slot
    }

    /// The tokens that symbols merge into: always the merge of lowest rank next, the leftmost first.
    ///
    /// O(n log n) in the symbols: a heap of possible merges over a linked list.
    func merged(_ symbols: [Int32]) -> [Int32] {
        guard symbols.count > 1 else { return symbols }
        var symbols = symbols
        let count = symbols.count
        var next = (1...count).map { Int32($0) }
        var previous = (-1..<count - 1).map { Int32($0) }
        // Rank in the upper half, position in the lower: the order in which merges happen.
        var candidates = BinaryHeap<UInt64>()
        func propose(_ left: Int, _ right: Int) {
            guard left >= 0, right < count, let merge = merge(symbols[left], symbols[right]) else { return }
            candidates.insert(UInt64(merge.rank) << 32 | UInt64(left))
        }
        for position in 0..<(count - 1) { propose(position, position + 1) }

        let absorbed: Int32 = -1
        while let candidate = candidates.popFirst() {
            let left = Int(candidate & 0xFFFF_FFFF)
            let right = Int(next[left])
            // A neighbor may have been merged since; then the rank at this place has changed.
            guard symbols[left] != absorbed, right < count, let merge = merge(symbols[left], symbols[right]),
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

extension MergeTable {
    /// The two symbols of a merge that is written with a space between them.
    static func pair(_ text: Substring, source: String) throws(ConcordError) -> (left: String, right: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }) else {
            throw ConcordError(.invalidTokenizer, "\(source): \"\(text)\" is not a merge of two symbols")
        }
        return (String(Substring(parts[0])), String(Substring(parts[1])))
    }

    /// The merges of a list: `"a b"` in older files, `["a", "b"]` in newer.
    static func pairs(_ list: [JSONValue], source: String) throws(ConcordError) -> [(left: String, right: String)] {
        var merges = [(left: String, right: String)]()
        merges.reserveCapacity(list.count)
        for (rank, merge) in list.enumerated() {
            if let text = merge.string {
                merges.append(try pair(Substring(text), source: "\(source), merge \(rank)"))
            } else if let parts = merge.elements, parts.count == 2, let left = parts[0].string,
                let right = parts[1].string
            {
                merges.append((left, right))
            } else {
                throw ConcordError(.invalidTokenizer, "\(source): merge \(rank) is not a pair of strings")
            }
        }
        return merges
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
