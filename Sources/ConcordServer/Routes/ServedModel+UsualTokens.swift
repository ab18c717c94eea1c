import ConcordText

extension ServedModel {
    /// The options with a length: that which was asked for, or 30 tokens, or as many as the context has room for.
    func fitting(_ options: GenerationOptions, maxTokens: Int?, prompt: String?) -> GenerationOptions {
        var options = options
        // A text's tokens without the one that ends it; without a text there is the start token.
        let ends = max(tokenizer.encode("").count - 1, 0)
        let beginning = prompt.map { max(tokenizer.encode($0).count - ends, 1) } ?? 1
        options.maxTokens = maxTokens ?? min(30, max(1, contextLength - beginning))
        return options
    }
}
