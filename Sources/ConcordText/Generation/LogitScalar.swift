import ConcordPlatform

/// What logits are made of.
protocol LogitScalar: BinaryFloatingPoint {
    /// The largest of some values, 16 at a time; NaN may go unseen. At least one value.
    static func largest(_ values: UnsafeBufferPointer<Self>) -> Self
    /// The sum of `exp(value − reference)`, where no value is above the reference by much; NaN where a value is NaN.
    static func exponentialSum(_ values: UnsafeBufferPointer<Self>, minus reference: Self) -> Double
}

extension Double: LogitScalar {
    static func largest(_ values: UnsafeBufferPointer<Double>) -> Double {
        var result = -Double.infinity
        for value in values where value > result { result = value }
        return result
    }

    static func exponentialSum(_ values: UnsafeBufferPointer<Double>, minus reference: Double) -> Double {
        var sum = 0.0
        for value in values { sum += exp(value - reference) }
        return sum
    }
}

extension Float: LogitScalar {
    private typealias Lanes = SIMD16<Float>

    static func largest(_ values: UnsafeBufferPointer<Float>) -> Float {
        let bytes = UnsafeRawBufferPointer(values), whole = values.count / 16
        var lanes = Lanes(repeating: -.infinity)
        for index in 0..<whole {
            let next = bytes.loadUnaligned(fromByteOffset: index * 64, as: Lanes.self)
            lanes.replace(with: next, where: next .> lanes)
        }
        var result = lanes.max()
        for index in whole * 16..<values.count where values[index] > result { result = values[index] }
        return result
    }

    static func exponentialSum(_ values: UnsafeBufferPointer<Float>, minus reference: Float) -> Double {
        let bytes = UnsafeRawBufferPointer(values), whole = values.count / 16
        var sums = Lanes(repeating: 0)
        for index in 0..<whole {
            sums += exponential(bytes.loadUnaligned(fromByteOffset: index * 64, as: Lanes.self) - reference)
        }
        var sum = 0.0
        for lane in 0..<16 { sum += Double(sums[lane]) }
        for index in whole * 16..<values.count { sum += Double(exp(values[index] - reference)) }
        return sum
    }

    /// `e` to the power of values that are at most 88, to 2e-7 of it: 2ⁿ · eʳ, with n the nearest integer to x / ln 2 and
    /// the series of eʳ up to r⁷.
    @inline(__always)
    private static func exponential(_ values: Lanes) -> Lanes {
        // Below, the result would not be a normal number. A comparison is false for NaN, which therefore stays.
        let x = values.replacing(with: -87, where: values .< -87)
        // Added to 1.5 · 2²³ a number is rounded to an integer, which stands in the lowest bits.
        let rounding = Lanes(repeating: 12_582_912)
        let shifted = x * 1.442_695_04 + rounding
        let n = shifted - rounding
        // ln 2 in two parts, the first with few bits, so that n times it is exact.
        let r = x - n * 0.693_359_375 + n * 2.121_944_4e-4
        var series = r * (1 / 5040) + (1 / 720)
        series = series * r + (1 / 120)
        series = series * r + (1 / 24)
        series = series * r + (1 / 6)
        series = series * r + 0.5
        series = series * r + 1
        series = series * r + 1
        let exponent = unsafeBitCast(shifted, to: SIMD16<Int32>.self) &- unsafeBitCast(rounding, to: SIMD16<Int32>.self)
        return series * unsafeBitCast((exponent &+ 127) &<< 23, to: Lanes.self)
    }
}
