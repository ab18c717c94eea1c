import ConcordCore
import ConcordRuntime
import Foundation

/// How often an activation had which values, in bounded memory.
///
/// Bins are as wide as a power of two and begin at its multiples. When a value lies outside, pairs of bins become one.
/// So the result is that of all values at once, whatever the order in which they came, and at least a quarter of the
/// bins lie between 0 and the largest magnitude.
package struct ActivationHistogram: Hashable, Sendable {
    /// Bins on either side of 0.
    package static let side = 8192
    /// Bins on either side that the entropy rule looks at.
    package static let entropySide = 2048

    package private(set) var minimum = Float.infinity
    package private(set) var maximum = -Float.infinity
    /// `counts[side + i]` is how many values were in `[i, i + 1) · width`.
    package private(set) var counts = [Int](repeating: 0, count: 2 * side)
    /// A bin is `2^exponent` wide; nil before the first value other than 0.
    package private(set) var exponent: Int?

    package var count: Int { counts.reduce(0, +) }

    package init() {}

    /// Adds values. Returns false, and adds none, when one of them is NaN or infinite.
    package mutating func add(_ values: UnsafeBufferPointer<Float>) -> Bool {
        guard !values.isEmpty else { return true }
        var lowest = Float.infinity, highest = -Float.infinity, sum: Float = 0
        for value in values {
            lowest = min(lowest, value)
            highest = max(highest, value)
            // Becomes NaN with the first value that is no number.
            sum += value * 0
        }
        guard sum == 0 else { return false }
        minimum = min(minimum, lowest)
        maximum = max(maximum, highest)
        widen(to: max(abs(lowest), abs(highest)))
        guard let exponent else {
            counts[Self.side] += values.count
            return true
        }
        let factor = Double(sign: .plus, exponent: -exponent, significand: 1)
        counts.withUnsafeMutableBufferPointer { counts in
            for value in values { counts[Self.side + Int((Double(value) * factor).rounded(.down))] += 1 }
        }
        return true
    }

    /// Makes bins so wide that ±`magnitude` is inside.
    private mutating func widen(to magnitude: Float) {
        guard magnitude > 0 else { return }
        // magnitude < 2^(e + 1) = side · 2^needed.
        let needed = Double(magnitude).exponent + 1 - Self.side.trailingZeroBitCount
        guard let exponent else {
            self.exponent = needed
            return
        }
        guard needed > exponent else { return }
        self.exponent = needed
        // Beyond all bins two are left, that of negative values and that of others.
        counts = Self.merged(counts, shift: min(needed - exponent, Self.side.trailingZeroBitCount + 1))
    }

    /// The counts with `2^shift` bins in one, in an array of the same length.
    private static func merged(_ counts: [Int], shift: Int) -> [Int] {
        var merged = [Int](repeating: 0, count: counts.count)
        let middle = counts.count / 2
        for (index, count) in counts.enumerated() where count > 0 {
            merged[middle + (index - middle) >> shift] += count
        }
        return merged
    }

    // MARK: - Ranges

    /// The range that `rule` chooses. Throws `.emptyBatch` when no value was seen, `.invalidArgument` for an impossible
    /// percentage.
    package func range(_ rule: CalibrationMethod) throws(ConcordError) -> ActivationRange {
        guard minimum <= maximum else { throw ConcordError(.emptyBatch, "calibration saw no value; give it samples") }
        guard let exponent else { return try ActivationRange(minimum, maximum) }
        let width = Double(sign: .plus, exponent: exponent, significand: 1)
        switch rule {
        case .minimumMaximum: return try ActivationRange(minimum, maximum)
        case .percentile(let percentage):
            guard percentage > 50, percentage <= 100 else {
                throw ConcordError(
                    .invalidArgument, "a percentile is more than 50 and at most 100, such as 99.99, got \(percentage)")
            }
            let cut = Double(count) * (100 - percentage) / 200
            var below = 0.0, lower = 0, above = 0.0, upper = counts.count - 1
            while lower < upper, below + Double(counts[lower]) <= cut {
                below += Double(counts[lower])
                lower += 1
            }
            while upper > lower, above + Double(counts[upper]) <= cut {
                above += Double(counts[upper])
                upper -= 1
            }
            return try ActivationRange(
                max(minimum, Float(Double(lower - Self.side) * width)),
                min(maximum, Float(Double(upper + 1 - Self.side) * width)))
        case .entropy:
            let factor = Self.side / Self.entropySide
            var bins = [Double](repeating: 0, count: 2 * Self.entropySide)
            for (index, count) in counts.enumerated() where count > 0 { bins[index / factor] += Double(count) }
            let threshold = Double(Self.entropyThreshold(bins)) * width * Double(factor)
            return try ActivationRange(max(minimum, Float(-threshold)), min(maximum, Float(threshold)))
        }
    }

    /// How many bins on either side of the middle to keep, so that 255 levels are nearest to the distribution.
    ///
    /// For each number of bins: the distribution is that of the kept bins, with what lies beyond added to the outermost;
    /// the 8-bit one is that of the kept bins alone, each level of which is spread evenly over those of its bins that
    /// hold something. The one of the least Kullback–Leibler divergence is chosen, the smaller of two.
    package static func entropyThreshold(_ bins: [Double], levels: Int = 255) -> Int {
        let side = bins.count / 2
        // Bins that hold nothing at both ends change nothing.
        let used = (0..<side).last { bins[side + $0] > 0 || bins[side - 1 - $0] > 0 }.map { $0 + 1 } ?? 1
        var best = (kept: used, divergence: Double.infinity)
        let first = min(used, (levels + 1) / 2)
        let total = bins.reduce(0, +)
        for kept in first...used {
            let (start, end) = (side - kept, side + kept)
            var below = 0.0, above = 0.0
            for index in 0..<start { below += bins[index] }
            for index in end..<bins.count { above += bins[index] }
            let inside = total - below - above
            guard inside > 0 else { continue }
            var divergence = 0.0
            for level in 0..<levels {
                let lower = start + level * 2 * kept / levels, upper = start + (level + 1) * 2 * kept / levels
                guard lower < upper else { continue }
                var sum = 0.0, filled = 0.0
                for index in lower..<upper where bins[index] > 0 {
                    sum += bins[index]
                    filled += 1
                }
                for index in lower..<upper {
                    var value = bins[index]
                    let own = value
                    if index == start { value += below }
                    if index == end - 1 { value += above }
                    guard value > 0 else { continue }
                    // What is beyond has no place in the 8-bit distribution where its last bin holds nothing.
                    guard own > 0 else {
                        divergence = .infinity
                        break
                    }
                    let p = value / total, q = sum / filled / inside
                    divergence += p * log(p / q)
                }
            }
            if divergence < best.divergence { best = (kept, divergence) }
        }
        return best.kept
    }
}

/// The numbers of an activation that 8 bits stand for: 256 steps of equal size, one of which is exactly 0.
public struct ActivationRange: Hashable, Sendable {
    public let lowest: Float
    public let highest: Float

    /// The range from `lowest` to `highest`, which is widened to hold 0. Throws `.nonFiniteValue`.
    public init(_ lowest: Float, _ highest: Float) throws(ConcordError) {
        guard lowest.isFinite, highest.isFinite, lowest <= highest, (highest - lowest).isFinite else {
            throw ConcordError(
                .nonFiniteValue, "a range goes from one number to a larger one, got \(lowest) to \(highest)")
        }
        self.lowest = min(lowest, 0)
        self.highest = max(highest, 0)
    }

    /// What one step stands for.
    public var scale: Float {
        let scale = (highest - lowest) / 255
        return scale >= .leastNormalMagnitude ? scale : 1
    }

    /// The number of 8 bits that stands for 0.
    public var zeroPoint: UInt8 { UInt8(min(max((-lowest / scale).rounded(.toNearestOrEven), 0), 255)) }
}

/// How the range of an activation is chosen from what calibration saw. Values outside of it become its ends.
public enum CalibrationMethod: Hashable, Sendable, CustomStringConvertible {
    /// All that was seen. One outlier makes the steps of all other values larger.
    case minimumMaximum
    /// The range that this percentage of the values lies in, half of the rest on either side: 99.99 or 99.999.
    case percentile(Double)
    /// The range whose 8-bit distribution is nearest to that of the values, by the Kullback–Leibler divergence (Migacz,
    /// "8-bit inference with TensorRT", 2017).
    case entropy

    public var description: String {
        switch self {
        case .minimumMaximum: "min-max"
        case .percentile(let percentage): "percentile \(percentage)"
        case .entropy: "entropy"
        }
    }
}
