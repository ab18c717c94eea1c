import ConcordLosses

/// How a model's embeddings of pictures and their captions lie.
public struct EmbeddingMeasures: Sendable, Hashable {
    /// Pictures first, captions second.
    public let report: ContrastiveReport
    /// How many directions the vectors of either side make use of: ``ConcordLosses/effectiveRank(_:)``.
    public let imageRank, textRank: Double
}
