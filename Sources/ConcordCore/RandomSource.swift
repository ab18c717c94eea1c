/// A seeded random number generator (xoshiro256**, Blackman & Vigna 2018) with independent streams.
///
/// Everything random in the package draws from one of these, made from the run's seed and the names of what it is
/// for: `RandomSource(seed: 1, stream: epoch, sample)`. There is therefore no state to save: a resumed run makes the
/// same source again. The algorithms here are written out, so a newer standard library cannot change a shuffle.
public struct RandomSource: RandomNumberGenerator, Sendable {
    private var state: (UInt64, UInt64, UInt64, UInt64)

    /// A generator for one stream. Different seeds or different stream keys give unrelated sequences.
    public init(seed: UInt64, stream keys: UInt64...) {
        var mixed = Self.mix(seed)
        for key in keys { mixed = Self.mix(mixed ^ Self.mix(key &+ 0x632B_E59B_D9B4_E019)) }
        func next() -> UInt64 {
            mixed &+= 0x9E37_79B9_7F4A_7C15
            return Self.mix(mixed)
        }
        state = (next(), next(), next(), next())
    }

    /// The finalizer of SplitMix64.
    private static func mix(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    public mutating func next() -> UInt64 {
        func rotate(_ x: UInt64, _ k: UInt64) -> UInt64 { (x << k) | (x >> (64 - k)) }
        let result = rotate(state.1 &* 5, 7) &* 9
        let shifted = state.1 << 17
        state.2 ^= state.0
        state.3 ^= state.1
        state.1 ^= state.2
        state.0 ^= state.3
        state.2 ^= shifted
        state.3 = rotate(state.3, 45)
        return result
    }

    /// A uniform number in `[0, 1)` with 53 random bits.
    public mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// A uniform number in `[lower, upper)`.
    public mutating func uniform(_ lower: Double, _ upper: Double) -> Double { lower + (upper - lower) * uniform() }

    /// A uniform integer in `0..<bound` without modulo bias (Lemire 2019).
    public mutating func index(below bound: Int) -> Int {
        precondition(bound > 0, "RandomSource.index(below:) needs a positive bound, got \(bound)")
        let range = UInt64(bound)
        var product = next().multipliedFullWidth(by: range)
        if product.low < range {
            let threshold = (0 &- range) % range
            while product.low < threshold { product = next().multipliedFullWidth(by: range) }
        }
        return Int(product.high)
    }

    /// A standard normal number (Box–Muller, one of the pair).
    public mutating func normal() -> Double {
        let radius = (-2 * ConcordCore.log(1 - uniform())).squareRoot()
        return radius * ConcordCore.cos(2 * .pi * uniform())
    }

    /// Shuffles in place (Fisher–Yates).
    public mutating func shuffle<Element>(_ elements: inout [Element]) {
        guard elements.count > 1 else { return }
        for last in stride(from: elements.count - 1, to: 0, by: -1) {
            elements.swapAt(last, index(below: last + 1))
        }
    }
}

extension RandomSource {
    /// One number of a stream, to seed another generator with.
    package static func value(seed: UInt64, stream key: UInt64) -> UInt64 {
        var source = RandomSource(seed: seed, stream: key)
        return source.next()
    }
}
