/// How a vision tower makes tokens for a decoder, and the picture's own vector, by learned queries (CoCa's attentional
/// poolers).
public struct QueryPoolingConfiguration: Sendable, Hashable {
    /// Where the picture's vector comes from.
    public enum Layout: String, Sendable, Hashable, CaseIterable {
        /// The first of the queries gives the vector, all others the tokens, behind one norm (open_clip).
        case joint
        /// A pooler with one query of its own looks at the patches, beside the one for tokens (Yu et al. 2022).
        case parallel
        /// A pooler with one query of its own looks at the tokens that the other gives (Yu et al. 2022).
        case cascade
    }

    /// Queries, including that of the vector where the layout is `joint`.
    public var queries: Int
    /// Width of what the queries give.
    public var width: Int
    public var heads: Int
    public var layout: Layout

    public init(queries: Int = 256, width: Int = 512, heads: Int = 8, layout: Layout = .joint) {
        self.queries = queries
        self.width = width
        self.heads = heads
        self.layout = layout
    }

    /// Tokens of a picture that a decoder gets.
    public var tokenCount: Int { layout == .joint ? queries - 1 : queries }
}
