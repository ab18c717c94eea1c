/// A sign that a contrastive training does not learn, and what to do about it.
public struct EmbeddingWarning: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Embeddings that are not numbers.
        case nonFinite
        /// The embeddings of one side are all but one point.
        case collapse
        /// The loss is that of guessing.
        case guessing
        /// Pairs that belong together are no nearer than others.
        case noAlignment
    }

    public let kind: Kind
    public let message: String
}
