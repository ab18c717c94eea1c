import ConcordCore

/// A caption that a model wrote.
public struct GeneratedCaption: Sendable, Hashable {
    /// The whole text, the prompt included, without special tokens.
    public let text: String
    /// The new tokens, an end token included, with their probabilities.
    public let tokens: GeneratedTokens

    package init(text: String, tokens: GeneratedTokens) {
        self.text = text
        self.tokens = tokens
    }

    /// The members of a line of `concord caption --json`, but for the picture's name.
    public var members: [JSONValue.Member] {
        [
            .init("caption", .string(text)), .init("tokens", .array(tokens.tokens.map { .integer(Int($0)) })),
            .init("log_probability", .number(tokens.logProbability)),
        ]
    }
}
