/// What a JSON document may have: in memory a value takes many times the bytes of its text, so depth and size count.
public struct JSONLimits: Sendable, Hashable {
    /// The most objects and arrays inside each other.
    public var depth: Int
    /// The most values, those inside others included.
    public var values: Int
    /// Whether `NaN`, `Infinity` and `-Infinity` are numbers. JSON does not have them, but Python's `json` writes them.
    public var nonFiniteNumbers: Bool

    public init(depth: Int = 128, values: Int = .max, nonFiniteNumbers: Bool = false) {
        self.depth = depth
        self.values = values
        self.nonFiniteNumbers = nonFiniteNumbers
    }

    /// 128 levels, and as many values as there are.
    public static let standard = JSONLimits()
}
