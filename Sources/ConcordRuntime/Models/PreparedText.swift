/// A text as a model takes it: token ids with the special ones, cut at the context length.
public struct PreparedText: Sendable, Hashable {
    public let ids: [Int32]
    /// Whether the text was longer than the context.
    public let isTruncated: Bool

    public init(ids: [Int32], isTruncated: Bool) {
        self.ids = ids
        self.isTruncated = isTruncated
    }
}
