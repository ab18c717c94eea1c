/// A sequence of tokens that a model continued a prompt with.
public struct GeneratedTokens: Sendable, Hashable {
    /// Why a sequence ended.
    public enum FinishReason: String, Sendable, Hashable {
        /// Its last token is a stop token.
        case stop
        /// It has as many tokens as were allowed.
        case length
    }

    /// The new tokens, without the prompt. A stop token at the end is among them.
    public let tokens: [Int32]
    /// The logarithm of each token's probability in the model's own distribution, that of all tokens: before
    /// temperature, penalties, and without what was not allowed.
    public let tokenLogProbabilities: [Double]
    /// What ranks the results of one request: after a beam search as ``GenerationStrategy/beam(width:groups:diversityPenalty:lengthPenalty:)``
    /// says, otherwise ``logProbability``.
    public let score: Double
    public let finishReason: FinishReason

    public init(
        tokens: [Int32], tokenLogProbabilities: [Double], score: Double? = nil, finishReason: FinishReason
    ) {
        self.tokens = tokens
        self.tokenLogProbabilities = tokenLogProbabilities
        self.score = score ?? tokenLogProbabilities.reduce(0, +)
        self.finishReason = finishReason
    }

    /// The logarithm of the sequence's probability: the sum over its tokens, a stop token included.
    public var logProbability: Double { tokenLogProbabilities.reduce(0, +) }
}
