/// Tokens that joined one result of one request in a step.
///
/// Put one after the other, the updates of a result are its ``GeneratedTokens``. A beam search knows its tokens only when
/// it has ended, and gives each result in one update then.
public struct GenerationUpdate: Sendable, Hashable {
    /// The request's place in the batch.
    public let item: Int
    /// Which result of the request.
    public let result: Int
    public let tokens: [Int32]
    /// As ``GeneratedTokens/tokenLogProbabilities``.
    public let logProbabilities: [Double]
    /// Why the result ended; nil when more tokens follow.
    public let finishReason: GeneratedTokens.FinishReason?
}
