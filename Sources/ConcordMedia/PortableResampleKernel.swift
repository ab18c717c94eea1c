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
