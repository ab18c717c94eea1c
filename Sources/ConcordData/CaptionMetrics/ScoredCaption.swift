/// A picture with the scores of the caption that was generated for it.
public struct ScoredCaption: Sendable, Hashable {
    /// What the caller calls the picture.
    public let id: String
    public let scores: CaptionScores
}
