/// The inner loops of a resize, on 16 bytes side by side. All implementations agree to the last bit.
protocol ResampleKernel {
    /// The weighted sums of `count` groups of 16 bytes that lie `stride` apart, rounded and clipped to bytes.
    static func weightedSum(
        _ source: UnsafePointer<UInt8>, stride: Int, count: Int,
        high: UnsafePointer<SIMD2<Int16>>, low: UnsafePointer<SIMD2<Int16>>,
        into target: UnsafeMutablePointer<UInt8>)

    /// Writes `a0 b0 a1 b1 …`, 32 bytes, of two groups of 16.
    static func interleave(_ a: UnsafePointer<UInt8>, _ b: UnsafePointer<UInt8>, _ out: UnsafeMutableRawPointer)
}

extension ResampleKernel {
    /// The weighted sum of `count` bytes that lie `stride` apart, rounded and clipped to a byte.
    static func weightedByte(
        _ source: UnsafePointer<UInt8>, stride: Int, count: Int,
        high: UnsafePointer<SIMD2<Int16>>, low: UnsafePointer<SIMD2<Int16>>
    ) -> UInt8 {
        var sum: Int32 = 1 << (Int32(ResampleWeights.precisionBits) - 1)
        for index in 0..<count {
            let weight = Int32(high[index / 2][index & 1]) &* 256 &+ Int32(low[index / 2][index & 1])
            sum &+= Int32(source[index * stride]) &* weight
        }
        return UInt8(clamping: sum >> Int32(ResampleWeights.precisionBits))
    }

    /// Transposes 16 × 16 bytes. `scratch` has room for 512 bytes; `source` and `target` give the rows.
    ///
    /// Interleaving row i with row i + 8 turns the index of a byte by one bit; after four times, rows are columns.
    @inline(__always)
    static func transpose16(
        scratch: UnsafeMutablePointer<UInt8>, from source: (Int) -> UnsafePointer<UInt8>,
        to target: (Int) -> UnsafeMutablePointer<UInt8>
    ) {
        let (one, other) = (scratch, scratch + 256)
        for row in 0..<8 { interleave(source(row), source(row + 8), one + row * 32) }
        for row in 0..<8 { interleave(one + row * 16, one + (row + 8) * 16, other + row * 32) }
        for row in 0..<8 { interleave(other + row * 16, other + (row + 8) * 16, one + row * 32) }
        for row in 0..<8 { interleave(one + row * 16, one + (row + 8) * 16, other + row * 32) }
        for row in 0..<16 { target(row).update(from: other + row * 16, count: 16) }
    }
}
