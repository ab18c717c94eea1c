import ConcordCore

/// One item of a batch to generate for: a prompt and options.
public struct GenerationRequest: Sendable, Hashable {
    /// The tokens that the model reads first, the start token included; nil for the start token alone. They are not part
    /// of the result.
    public var prompt: [Int32]?
    public var options: GenerationOptions

    public init(prompt: [Int32]? = nil, options: GenerationOptions = GenerationOptions()) {
        self.prompt = prompt
        self.options = options
    }
}

/// The options of a request for tokens, apart from its prompt.
public struct GenerationOptions: Sendable, Hashable {
    public var strategy: GenerationStrategy
    /// The most new tokens, a stop token included.
    public var maxTokens: Int
    /// The fewest new tokens before a stop token may come.
    public var minTokens: Int
    /// The number of sequences to return: draws when sampling, the best ones of a beam search.
    public var resultCount: Int
    /// The penalty on tokens that the sequence has already, its prompt's included: positive logits are divided by it,
    /// negative ones multiplied (CTRL, Keskar et al. 2019). 1 changes nothing.
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

/// The way to choose the next token from the model's scores.
public enum GenerationStrategy: Sendable, Hashable {
    /// The most probable token each time; of equals the one with the lowest id.
    case greedy

    /// A draw from the model's distribution.
    ///
    /// - Parameters:
    ///   - temperature: the divisor of the logits, above 0; below 1 prefers probable tokens.
    ///   - topK: draws from the `k` most probable tokens only (Fan et al. 2018); nil from all.
    ///   - topP: draws from the fewest of the most probable tokens that have this probability together (Holtzman et al.
    ///     2020), in `(0, 1]`. It counts probabilities after the temperature and among the tokens that `topK` leaves.
    ///   - seed: each result of each request draws from a separate stream, made from the seed and the number of the
    ///     result. So a request gives the same tokens alone and among others.
    case sample(temperature: Double = 1, topK: Int? = nil, topP: Double = 1, seed: UInt64 = 0)

    /// The sequences with the best score that a search finds that goes on with the `width` best beginnings of each
    /// length.
    ///
    /// Follows the beam search of Hugging Face transformers with `early_stopping=False`. A sequence's score is the sum
    /// of
    /// its tokens' logarithmic probabilities, divided by its number of new tokens (an end token counts) to the power of
    /// `lengthPenalty`. In each step the best continuations of all beams are ranked; a stop token among the first
    /// `width`
    /// of them ends its sequence, one that ranks lower is forgotten, and the `width` best others go on. The search
    /// stops when `width` sequences have ended and the best beam, were it to end with its present sum and length, would
    /// not beat the worst of them; or at `maxTokens`, where the first `width` continuations count as sequences, too.
    /// Equals are ranked by token id, then by beam, the lowest first; a sequence that ended earlier stays before an
    /// equal.
    ///
    /// - Parameters:
    ///   - width: the number of beams, of all groups together.
    ///   - groups: divides the beams into groups that search one after the other in each step (Vijayakumar et al. 2018).
    ///   - diversityPenalty: the loss of a token's score for each beam of an earlier group that chose it in the same
    /// step
    ///     (Hamming diversity). As in transformers the loss stays in the beam's score. More than 0 with several groups,
    ///     which would all find the same without.
    ///   - lengthPenalty: above 0 favors long sequences, below 0 short ones, 0 takes plain sums.
    case beam(width: Int = 6, groups: Int = 1, diversityPenalty: Double = 0, lengthPenalty: Double = 1)
}

extension GenerationOptions {
    /// Checks the options and a prompt against a model.
    ///
    /// - Parameters:
    ///   - prompt: the tokens that the model reads first, the start token included.
    ///   - vocabularySize: the number of the model's tokens.
    ///   - contextLength: the most tokens that the model was made for, prompt and new ones together.
    ///   - padToken: the token that the model takes for padding, if any.
    /// - Throws: `.invalidArgument` with the numbers that do not fit.
    package func validate(
        prompt: [Int32], vocabularySize: Int, contextLength: Int, padToken: Int32? = nil
    ) throws(ConcordError) {
        try validate()
        try Self.require(
            !prompt.isEmpty, "the prompt is empty; it has one token at least, as a rule the one that starts a text")
        try Self.require(
            prompt.count < contextLength,
            "a prompt of \(prompt.count) tokens leaves no room in the context of \(contextLength); shorten it")
        try Self.require(
            maxTokens <= contextLength - prompt.count,
            "a prompt of \(prompt.count) tokens and \(maxTokens) new ones do not fit the context of \(contextLength) tokens "
                + "that the model was made for; ask for \(contextLength - prompt.count) new ones at most")
        func check(_ tokens: some Sequence<Int32>, _ name: String) throws(ConcordError) {
            guard let token = tokens.first(where: { $0 < 0 || $0 >= vocabularySize }) else { return }
            throw ConcordError(
                .invalidArgument,
                "\(name) has token \(token), which is outside the vocabulary of \(vocabularySize)")
        }
        try check(prompt, "the prompt")
        if let stopTokens { try check(stopTokens, "stopTokens") }
        if let padToken {
            try Self.require(
                !prompt.contains(padToken),
                "the prompt has token \(padToken), which the model takes for padding; word it without")
            try Self.require(
                stopTokens?.contains(padToken) != true,
                "stopTokens has token \(padToken), which is the model's padding and never comes")
        }
        // The lowest one, so that the message is the same each time.
        if let allowedTokens { try check(allowedTokens.sorted(), "allowedTokens") }
    }

    private static func require(_ holds: Bool, _ message: String) throws(ConcordError) {
        guard holds else { throw ConcordError(.invalidArgument, message) }
    }
}
