/// Merges the symbols of one piece into tokens.
enum BytePairEncoder {
    /// The tokens of a piece, at least one byte long.
    static func encode(_ piece: some Collection<UInt8>, _ vocabulary: BytePairVocabulary) -> [Int32] {
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
