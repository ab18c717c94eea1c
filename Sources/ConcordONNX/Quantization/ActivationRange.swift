import ConcordCore

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
