/// How deep and how large a JSON document may be: in memory a value takes many times the bytes of its text.
public struct JSONLimits: Sendable, Hashable {
    /// The most objects and arrays inside each other.
    public var depth: Int
    /// The most values, those inside others included.
    public var values: Int

    public init(depth: Int = 128, values: Int = .max) {
        self.depth = depth
        self.values = values
    }

    /// 128 levels, and as many values as there are.
    public static let standard = JSONLimits()
}
