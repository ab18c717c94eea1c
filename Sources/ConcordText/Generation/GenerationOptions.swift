/// What a request for tokens asks for, apart from its prompt.
public struct GenerationOptions: Sendable, Hashable {
    public var strategy: GenerationStrategy
    /// The most new tokens, a stop token included.
    public var maxTokens: Int
    /// The fewest new tokens before a stop token may come.
    public var minTokens: Int
    /// How many sequences are wanted: draws when sampling, the best ones of a beam search.
    public var resultCount: Int
    /// What the logits of tokens that the sequence has already, its prompt's included, are divided by where they are
    /// positive, and multiplied by where negative (CTRL, Keskar et al. 2019); 1 changes nothing.
    public var repetitionPenalty: Double
    /// Tokens that end a sequence; nil for the model's end token, none at all for sequences of `maxTokens`.
    public var stopTokens: [Int32]?
    /// The only tokens that may come besides the stop tokens; nil for all. The model's padding token never comes.
    public var allowedTokens: Set<Int32>?

    public init(
        strategy: GenerationStrategy = .greedy, maxTokens: Int = 30, minTokens: Int = 0, resultCount: Int = 1,
        repetitionPenalty: Double = 1, stopTokens: [Int32]? = nil, allowedTokens: Set<Int32>? = nil
    ) {
        self.strategy = strategy
        self.maxTokens = maxTokens
        self.minTokens = minTokens
        self.resultCount = resultCount
        self.repetitionPenalty = repetitionPenalty
        self.stopTokens = stopTokens
        self.allowedTokens = allowedTokens
    }
}
