import ConcordText

extension ServedModel {
    /// The most bytes of a caption's beginning: many more than a context has room for.
    private static let maximumPromptBytes = 16 << 10

    /// The options with a length: that which was asked for, or 30 tokens, but no more than the context has room for.
    ///
    /// - Throws: a failure with 413 for a prompt that is too long to be looked at.
    func fitting(
        _ options: GenerationOptions, maxTokens: Int?, prompt: String?
    ) throws(RequestFailure) -> GenerationOptions {
        guard (prompt?.utf8.count ?? 0) <= Self.maximumPromptBytes else {
            throw .tooLarge("The prompt may have \(Self.maximumPromptBytes) bytes.", parameter: "prompt")
        }
        var options = options
        // A text's tokens without the one that ends it; without a text there is the start token.
        let ends = max(tokenizer.encode("").count - 1, 0)
        let beginning = prompt.map { max(tokenizer.encode($0).count - ends, 1) } ?? 1
        options.maxTokens = min(maxTokens ?? 30, max(1, contextLength - beginning))
        return options
    }
}

extension GenerationOptions {
    /// The most tokens, where more were asked for, which an answer says.
    func cut(from asked: Int?) -> Int? { asked.map { $0 > maxTokens } ?? false ? maxTokens : nil }
}
