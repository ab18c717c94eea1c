import ConcordCheckpoint
import ConcordCore
import Foundation
import Synchronization

/// Finds NaN and infinity in the tensors of a checkpoint.
///
/// The files are read piece by piece, beside the parameters that were read from them.
package enum NonFiniteValues {
    /// Bytes of a piece, of which threads take one after the other; and of what is read at once, to stay in a cache.
    private static let pieceSize = 1 << 23, bufferSize = 1 << 18

    private struct Piece {
        let tensor: Int
        let bits: ExponentBits
        let file: FileReader
        let range: Range<Int>
    }

    /// The exponent's bits of each number in eight bytes. They are all one in a number that is not finite, and adding
    /// `carry` then sets the highest bit of the number.
    private struct ExponentBits {
        let mask, carry, highest: UInt64

        init?(_ dtype: DType) {
            switch dtype {
            case .float64: (mask, carry, highest) = (0x7FF0 << 48, 0x0010 << 48, 0x8000 << 48)
            case .float32: (mask, carry, highest) = Self.repeated(0x7F80_0000, 0x0080_0000, 0x8000_0000, every: 32)
            case .bfloat16: (mask, carry, highest) = Self.repeated(0x7F80, 0x0080, 0x8000, every: 16)
            case .float16: (mask, carry, highest) = Self.repeated(0x7C00, 0x0400, 0x8000, every: 16)
            case .int64, .int32, .uint8, .bool: return nil
            }
        }

        private static func repeated(
            _ mask: UInt64, _ carry: UInt64, _ highest: UInt64, every width: UInt64
        ) -> (UInt64, UInt64, UInt64) {
            // 1 at the lowest bit of each number.
            let ones = UInt64.max / (1 << width - 1)
            return (mask * ones, carry * ones, highest * ones)
        }

        func areAllOneSomewhere(in words: UnsafeBufferPointer<UInt64>) -> Bool {
            var found: UInt64 = 0
            for word in words { found |= (word & mask) &+ carry }
            return found & highest != 0
        }
    }

    /// The names of those tensors that hold a value that is not finite, in their order.
    package static func names(among tensors: [CheckpointReader.Tensor]) throws(ConcordError) -> [String] {
        var pieces = [Piece]()
        for (index, tensor) in tensors.enumerated() {
            guard let bits = ExponentBits(tensor.entry.dtype) else { continue }
            let range = tensor.entry.byteRange
            for start in stride(from: range.lowerBound, to: range.upperBound, by: pieceSize) {
                let end = min(start + pieceSize, range.upperBound)
                pieces.append(Piece(tensor: index, bits: bits, file: tensor.file.file, range: start..<end))
            }
        }
        let work = pieces
        let result = Mutex<(broken: Set<Int>, failure: ConcordError?)>(([], nil))
        DispatchQueue.concurrentPerform(iterations: work.count) { index in
            do throws(ConcordError) {
                guard try isBroken(work[index]) else { return }
                result.withLock { _ = $0.broken.insert(work[index].tensor) }
            } catch {
                result.withLock { $0.failure = error }
            }
        }
        let (broken, failure) = result.withLock { $0 }
        if let failure { throw failure }
        return broken.sorted().map { tensors[$0].name }
    }

    private static func isBroken(_ piece: Piece) throws(ConcordError) -> Bool {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bufferSize, alignment: 64)
        defer { buffer.deallocate() }
        var offset = piece.range.lowerBound
        while offset < piece.range.upperBound {
            let count = min(bufferSize, piece.range.upperBound - offset)
            try piece.file.read(at: offset, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]))
            // The last word may be cut short; zeros are finite.
            let words = (count + 7) / 8
            for index in count..<words * 8 { buffer[index] = 0 }
            let read = UnsafeMutableRawBufferPointer(rebasing: buffer[..<(words * 8)]).bindMemory(to: UInt64.self)
            if piece.bits.areAllOneSomewhere(in: UnsafeBufferPointer(read)) { return true }
            offset += count
        }
        return false
    }
}
