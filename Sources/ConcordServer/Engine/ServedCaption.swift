import ConcordText

/// A caption of a picture.
public struct ServedCaption: Sendable, Hashable {
    public var text: String
    /// The new tokens, a stop token at the end included.
    public var tokens: [Int32]
    /// The sum of the logarithms of the tokens' probabilities.
    public var logProbability: Double
    public var finishReason: GeneratedTokens.FinishReason
    /// How many tokens the caption began from, the start token included.
    public var promptTokens: Int
    /// Width × height of the picture as it was sent.
    public var pixels: Int

    public init(
        text: String, tokens: [Int32], logProbability: Double, finishReason: GeneratedTokens.FinishReason,
        promptTokens: Int, pixels: Int
    ) {
        self.text = text
        self.tokens = tokens
        self.logProbability = logProbability
        self.finishReason = finishReason
        self.promptTokens = promptTokens
        self.pixels = pixels
    }
}
