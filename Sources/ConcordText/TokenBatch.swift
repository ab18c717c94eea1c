/// Tokenized captions as one matrix, as wide as the longest of them or wider.
public struct TokenBatch: Sendable, Hashable {
    /// Token ids `[batch, width]`, row by row; after a caption's end token comes padding.
    public let ids: [Int64]
    /// How many ids of each row are tokens, start and end included.
    public let lengths: [Int]
    /// The number of columns: the length of the longest row, or more where the model reads padding.
    public let width: Int
    /// How many captions were longer than the context and lost tokens.
    public let truncatedCount: Int

    /// Pads rows of ids to the longest one, and to `minimumWidth` columns at least.
    public init(rows: [[Int32]], padToken: Int, truncatedCount: Int, minimumWidth: Int = 0) {
        let width = rows.isEmpty ? 0 : max(minimumWidth, rows.map(\.count).max() ?? 0)
        var ids = [Int64](repeating: Int64(padToken), count: rows.count * width)
        for (row, tokens) in rows.enumerated() {
            for (column, token) in tokens.enumerated() { ids[row * width + column] = Int64(token) }
        }
        self.ids = ids
        self.width = width
        self.truncatedCount = truncatedCount
        lengths = rows.map(\.count)
    }
}
