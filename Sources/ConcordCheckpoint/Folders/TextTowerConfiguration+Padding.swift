import ConcordText

extension TextTowerConfiguration {
    /// What fills rows of tokens. A tower with a class token sees by it where a text ends, so it must be its own; to
    /// others it makes no difference, or the tokenizer's files say it.
    public func padToken(_ tokenizer: any Tokenizer) -> Int {
        if case .transformer(let text) = self, text.classTokenMask != nil { return text.padToken }
        return tokenizer.padToken
    }
}
