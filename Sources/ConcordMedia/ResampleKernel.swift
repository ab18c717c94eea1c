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

/// The inner loops of a resize in Swift's own vectors, for processors without a kernel of their own.
enum PortableResampleKernel: ResampleKernel {
    @inline(__always)
    static func weightedSum(
        _ source: UnsafePointer<UInt8>, stride: Int, count: Int,
        high: UnsafePointer<SIMD2<Int16>>, low: UnsafePointer<SIMD2<Int16>>,
        into target: UnsafeMutablePointer<UInt8>
    ) {
        var sums = SIMD16<Int32>(repeating: 1 << (Int32(ResampleWeights.precisionBits) - 1))
        for index in 0..<count {
            let bytes = UnsafeRawPointer(source + index * stride).loadUnaligned(as: SIMD16<UInt8>.self)
            let (upper, lower) = (high[index / 2][index & 1], low[index / 2][index & 1])
            let weight = Int32(upper) &* 256 &+ Int32(lower)
            sums &+= SIMD16<Int32>(truncatingIfNeeded: bytes) &* SIMD16<Int32>(repeating: weight)
        }
        let shifted = (sums &>> Int32(ResampleWeights.precisionBits)).clamped(
            lowerBound: .zero, upperBound: SIMD16<Int32>(repeating: 255))
        UnsafeMutableRawPointer(target).storeBytes(
            of: SIMD16<UInt8>(truncatingIfNeeded: shifted), as: SIMD16<UInt8>.self)
    }

    @inline(__always)
    static func interleave(_ a: UnsafePointer<UInt8>, _ b: UnsafePointer<UInt8>, _ out: UnsafeMutableRawPointer) {
        var mixed = SIMD32<UInt8>()
        mixed.evenHalf = UnsafeRawPointer(a).loadUnaligned(as: SIMD16<UInt8>.self)
        mixed.oddHalf = UnsafeRawPointer(b).loadUnaligned(as: SIMD16<UInt8>.self)
        out.storeBytes(of: mixed, as: SIMD32<UInt8>.self)
    }
}

#if arch(x86_64)
    import _Builtin_intrinsics.intel.sse2

    /// The inner loops of a resize in the instructions that every x86-64 processor has.
    enum SSE2ResampleKernel: ResampleKernel {
        /// Interleaves two groups, so that one multiply-add instruction takes a pair of bytes and a pair of weights.
        @inline(__always)
        static func weightedSum(
            _ source: UnsafePointer<UInt8>, stride: Int, count: Int,
            high: UnsafePointer<SIMD2<Int16>>, low: UnsafePointer<SIMD2<Int16>>,
            into target: UnsafeMutablePointer<UInt8>
        ) {
            let zero = _mm_setzero_si128()
            var (high0, high1, high2, high3) = (zero, zero, zero, zero)
            var (low0, low1, low2, low3) = (zero, zero, zero, zero)
            var first = UnsafeRawPointer(source)
            var remaining = count
            var pair = 0
            while remaining > 0 {
                // An odd last group is its own partner, with weight 0.
                let second = first + (remaining > 1 ? stride : 0)
                let a = first.loadUnaligned(as: __m128i.self)
                let b = second.loadUnaligned(as: __m128i.self)
                let highWeights = _mm_set1_epi32(unsafeBitCast(high[pair], to: Int32.self))
                let lowWeights = _mm_set1_epi32(unsafeBitCast(low[pair], to: Int32.self))
                let (left, right) = (_mm_unpacklo_epi8(a, b), _mm_unpackhi_epi8(a, b))
                let bytes0 = _mm_unpacklo_epi8(left, zero)
                let bytes1 = _mm_unpackhi_epi8(left, zero)
                let bytes2 = _mm_unpacklo_epi8(right, zero)
                let bytes3 = _mm_unpackhi_epi8(right, zero)
                high0 = _mm_add_epi32(high0, _mm_madd_epi16(bytes0, highWeights))
                high1 = _mm_add_epi32(high1, _mm_madd_epi16(bytes1, highWeights))
                high2 = _mm_add_epi32(high2, _mm_madd_epi16(bytes2, highWeights))
                high3 = _mm_add_epi32(high3, _mm_madd_epi16(bytes3, highWeights))
                low0 = _mm_add_epi32(low0, _mm_madd_epi16(bytes0, lowWeights))
                low1 = _mm_add_epi32(low1, _mm_madd_epi16(bytes1, lowWeights))
                low2 = _mm_add_epi32(low2, _mm_madd_epi16(bytes2, lowWeights))
                low3 = _mm_add_epi32(low3, _mm_madd_epi16(bytes3, lowWeights))
                first += 2 * stride
                remaining -= 2
                pair += 1
            }
            let half = _mm_set1_epi32(1 << (Int32(ResampleWeights.precisionBits) - 1))
            @inline(__always)
            func sum(_ high: __m128i, _ low: __m128i) -> __m128i {
                let whole = _mm_add_epi32(_mm_add_epi32(_mm_slli_epi32(high, 8), low), half)
                return _mm_srai_epi32(whole, Int32(ResampleWeights.precisionBits))
            }
            let bytes = _mm_packus_epi16(
                _mm_packs_epi32(sum(high0, low0), sum(high1, low1)), _mm_packs_epi32(sum(high2, low2), sum(high3, low3))
            )
            UnsafeMutableRawPointer(target).storeBytes(of: bytes, as: __m128i.self)
        }

        @inline(__always)
        static func interleave(_ a: UnsafePointer<UInt8>, _ b: UnsafePointer<UInt8>, _ out: UnsafeMutableRawPointer) {
            let a = UnsafeRawPointer(a).loadUnaligned(as: __m128i.self)
            let b = UnsafeRawPointer(b).loadUnaligned(as: __m128i.self)
            out.storeBytes(of: _mm_unpacklo_epi8(a, b), as: __m128i.self)
            (out + 16).storeBytes(of: _mm_unpackhi_epi8(a, b), as: __m128i.self)
        }
    }
#endif
