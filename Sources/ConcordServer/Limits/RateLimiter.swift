/// Holds callers to their limits, by token buckets of items and of pixels.
public final class RateLimiter: Sendable {
    /// What `X-RateLimit-*` headers say.
    public struct State: Sendable, Hashable {
        /// Items at once, after a pause.
        public var limit: Int
        public var remaining: Int
        /// Until all of `limit` may be asked for again.
        public var reset: Duration
    }

    public init(now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {}

    /// Takes `items` from the caller's bucket. A request above the burst is let in when the bucket is full, and leaves
    /// a debt. Nil for a caller without a limit of items.
    ///
    /// - Throws: `.quotaExceeded` with the time until it fits; also while pixels are owed.
    @discardableResult
    public func admit(caller: String, limits: CallerLimits, items: Int) throws(ServingError) -> State? {
        fatalError("being written")
    }

    /// Takes the pixels of a picture, known once its header was read. They may leave a debt, for which the caller's next
    /// requests wait.
    public func charge(caller: String, limits: CallerLimits, pixels: Int) { fatalError("being written") }
}
