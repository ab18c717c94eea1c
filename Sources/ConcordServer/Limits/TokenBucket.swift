/// An amount that fills up with time and is taken from. It may be owed, below zero.
struct TokenBucket: Sendable {
    private(set) var amount: Double
    private var updated: ContinuousClock.Instant

    init(full burst: Double, at moment: ContinuousClock.Instant) {
        amount = burst
        updated = moment
    }

    mutating func refill(perSecond: Double, burst: Double, at moment: ContinuousClock.Instant) {
        amount = min(amount + max((moment - updated).inSeconds, 0) * perSecond, burst)
        // Requests read the clock before they get here, and may overtake each other: no time counts twice.
        updated = max(updated, moment)
    }

    mutating func take(_ count: Double) { amount -= count }

    /// Until `wanted` is there; nil when it is.
    func wait(for wanted: Double, perSecond: Double) -> Duration? {
        // Sums of fractions miss a whole number by a hair.
        // A rate may be so low that the time is longer than any duration.
        amount >= wanted - 1e-9 ? nil : .seconds(min((wanted - amount) / perSecond, 1e9))
    }
}
