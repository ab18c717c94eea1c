import Synchronization

/// Remembers the tokens of pieces seen before. Bounded, and safe to share between threads.
final class PieceCache: Sendable {
    /// Longer pieces are rare and would fill the memory.
    static let longestPiece = 64
    private static let piecesPerShard = 4096

    /// One lock a shard, so that threads seldom wait for each other.
    private final class Shard: Sendable {
        let tokens = Mutex<[ArraySlice<UInt8>: [Int32]]>([:])
    }

    private let shards = (0..<16).map { _ in Shard() }

    /// The tokens of `piece`, from the cache or from `encode`.
    func tokens(of piece: ArraySlice<UInt8>, _ encode: () -> [Int32]) -> [Int32] {
        guard piece.count <= Self.longestPiece, let first = piece.first, let last = piece.last else { return encode() }
        let shard = shards[Int(first &+ last &* 31 &+ UInt8(piece.count)) & 15]
        if let known = shard.tokens.withLock({ $0[piece] }) { return known }
        let tokens = encode()
        shard.tokens.withLock { known in
            // Starting over is simpler than ageing; a caption vocabulary fits many times.
            if known.count >= Self.piecesPerShard { known.removeAll(keepingCapacity: true) }
            known[ArraySlice(Array(piece))] = tokens
        }
        return tokens
    }
}
