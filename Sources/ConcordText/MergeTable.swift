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
