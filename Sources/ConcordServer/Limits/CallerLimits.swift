/// How much one caller may ask for.
public struct CallerLimits: Sendable, Hashable {
    /// Items (pictures and texts) a second, on average; nil for no limit.
    public var itemsPerSecond: Double?
    /// Items at once, after a pause.
    public var burst: Double
    /// Pixels a second, on average; nil for no limit. Up to ten seconds' worth at once.
    public var pixelsPerSecond: Double?

    public init(itemsPerSecond: Double? = nil, burst: Double? = nil, pixelsPerSecond: Double? = nil) {
        self.itemsPerSecond = itemsPerSecond
        self.burst = burst ?? max(itemsPerSecond ?? 1, 1)
        self.pixelsPerSecond = pixelsPerSecond
    }
}
