import ConcordCore
import ConcordMedia
import ConcordText

/// How the inputs of a model folder's model are made, which needs none of its weights.
extension ModelFolder {
    /// Reads the tokenizer of the folder.
    ///
    /// - Throws: as `TokenizerFolder.load`; `.invalidConfiguration` for one with more tokens than the text tower knows,
    ///   and for a model without texts.
    public func loadTokenizer() throws(ConcordError) -> any Tokenizer {
        guard let text else {
            throw ConcordError(.invalidConfiguration, "\(path) embeds pictures only; name a model with a text tower")
        }
        let base = try TokenizerFolder.load(tokenizer.folder, mode: tokenizer.clipMode)
        try require(
            base.vocabularySize <= text.vocabularySize,
            "its tokenizer has \(base.vocabularySize) tokens, its configuration \(text.vocabularySize)")
        let cleaning = tokenizer.cleaning ?? .none
        // What stands behind an empty text is the separator.
        let separator = tokenizer.stripsSeparator ? base.encode("").last : nil
        guard cleaning != .none || separator != nil || tokenizer.lowercases else { return base }
        return CleaningTokenizer(
            base, cleaning: tokenizer.lowercases ? .lowercase : cleaning, strippedToken: separator)
    }

    /// Reads how the pictures of the folder's model are prepared.
    ///
    /// - Throws: `.fileSystem` when the folder does not say; `.invalidConfiguration` for a model without pictures, for
    ///   what is not supported, and where the image tower wants other pictures.
    public func loadPreprocessing() throws(ConcordError) -> ImagePreprocessing {
        guard let vision = architecture.vision else {
            throw ConcordError(.invalidConfiguration, "\(path) embeds texts only; name a model with an image tower")
        }
        let found: ImagePreprocessing =
            if case .openCLIP(let document) = preprocessing {
                try ImagePreprocessing(openCLIPConfig: document, imageSize: vision.imageSize)
            } else {
                try ImagePreprocessing(folder: path)
            }
        try require(vision.channels == 3, "its configuration wants \(vision.channels) channels, pictures have 3")
        try require(
            found.cropSize == vision.imageSize,
            "its preprocessing makes pictures of \(found.cropSize) pixels, its configuration wants \(vision.imageSize)")
        return found
    }

    /// Throws `.invalidConfiguration` when the files of the folder do not belong together.
    private func require(_ isRight: Bool, _ problem: @autoclosure () -> String) throws(ConcordError) {
        guard !isRight else { return }
        throw ConcordError(.invalidConfiguration, "\(path): \(problem()); fetch or save the model again")
    }
}

extension TextTowerConfiguration {
    /// What fills rows of tokens. A tower with a class token sees by it where a text ends, so it must be its own; to
    /// others it makes no difference, or the tokenizer's files say it.
    public func padToken(_ tokenizer: any Tokenizer) -> Int {
        if case .transformer(let text) = self, text.classTokenMask != nil { return text.padToken }
        return tokenizer.padToken
    }
}
