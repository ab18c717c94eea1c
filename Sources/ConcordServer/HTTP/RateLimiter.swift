import Synchronization

/// Holds callers to their limits, by token buckets of items and of pixels.
package final class RateLimiter: Sendable {
    /// The values of the `X-RateLimit-*` headers.
    package struct State: Sendable, Hashable {
        /// Items at once, after a pause.
        package var limit: Int
        package var remaining: Int
        /// Until all of `limit` may be asked for again.
        package var reset: Duration
    }

    private struct Buckets {
        var items: TokenBucket
        var pixels: TokenBucket
    }

    private let now: @Sendable () -> ContinuousClock.Instant
    /// By caller: as many as there are keys, which are few.
    private let buckets = Mutex<[String: Buckets]>([:])

    package init(now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) { self.now = now }

    /// Takes `items` from the caller's bucket. A request above the burst is let in when the bucket is full, and leaves
    /// a debt. `nil` for a caller without a limit of items.
    ///
    /// - Throws: `.quotaExceeded` with the time until it fits; also while pixels are owed.
    @discardableResult
    package func admit(caller: String, limits: CallerLimits, items: Int) throws(ServingError) -> State? {
        let moment = now()
        return try change(caller, limits, at: moment) { buckets throws(ServingError) in
            if let rate = limits.pixelsPerSecond, let wait = buckets.pixels.wait(for: 0, perSecond: rate) {
                throw ServingError(.quotaExceeded, "The pixels of this key are used up.", retryAfter: wait)
            }
            guard let rate = limits.itemsPerSecond else { return nil }
            let wanted = min(Double(items), limits.burst)
            if let wait = buckets.items.wait(for: wanted, perSecond: rate) {
                throw ServingError(.quotaExceeded, "The requests of this key are used up.", retryAfter: wait)
            }
            buckets.items.take(Double(items))
            return State(
                limit: Int(limits.burst), remaining: max(Int(buckets.items.amount + 1e-9), 0),
                reset: buckets.items.wait(for: limits.burst, perSecond: rate) ?? .zero)
        }
    }

    /// Takes the pixels of an image, known once its header was read. They may leave a debt, for which the caller's next
    /// requests wait.
    package func charge(caller: String, limits: CallerLimits, pixels: Int) {
        guard limits.pixelsPerSecond != nil else { return }
        change(caller, limits, at: now()) { $0.pixels.take(Double(pixels)) }
    }

    private func change<Value: Sendable, Failure: Error>(
        _ caller: String, _ limits: CallerLimits, at moment: ContinuousClock.Instant,
        _ body: (inout Buckets) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        let pixelBurst = 10 * (limits.pixelsPerSecond ?? 0)
        // What `body` throws comes out as a value, because the lock's closure would widen its type.
        let result: Result<Value, Failure> = buckets.withLock { all in
            var own =
                all[caller]
                ?? Buckets(
                    items: TokenBucket(full: limits.burst, at: moment),
                    pixels: TokenBucket(full: pixelBurst, at: moment))
            own.items.refill(perSecond: limits.itemsPerSecond ?? 0, burst: limits.burst, at: moment)
            own.pixels.refill(perSecond: limits.pixelsPerSecond ?? 0, burst: pixelBurst, at: moment)
            defer { all[caller] = own }
            do throws(Failure) { return .success(try body(&own)) } catch { return .failure(error) }
        }
        return try result.get()
    }
}

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

    /// Until `wanted` is there; `nil` when it is.
    func wait(for wanted: Double, perSecond: Double) -> Duration? {
        // Sums of fractions miss a whole number by a hair.
        // A rate may be so low that the time is longer than any duration.
        amount >= wanted - 1e-9 ? nil : .seconds(min((wanted - amount) / perSecond, 1e9))
    }
}
