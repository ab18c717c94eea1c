import ConcordCheckpoint
import ConcordCore
import ConcordMedia
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordText

extension EmbeddingModel {
    /// The longest file that is compared with its hash in `concord.json` whenever a model is loaded, in bytes.
    ///
    /// Hashing the weights of a large model would take longer than all the rest of loading; ``ModelInspection/verify()``
    /// does it when asked.
    public static let hashedFileLimit = 64 << 20

    /// Reads a model folder of Concord, transformers, open_clip or sentence-transformers: weights, tokenizer and
    /// preprocessing.
    ///
    /// - Parameter dtype: of the parameters; nil keeps the checkpoint's.
    /// - Throws: a `ConcordError` that names the file at fault.
    public static func load(
        _ folder: String, dtype: DType? = .float32, device: Device = .cpu
    ) throws -> EmbeddingModel {
        let description = try ModelFolder(folder), tokenizer = try loadTokenizer(description)
        let model: EmbeddingModel
        switch description.architecture {
        case .dualEncoder:
            let preprocessing = try loadPreprocessing(description)
            model = EmbeddingModel(
                encoder: try DualEncoder.load(folder, dtype: dtype, device: device.checked()), tokenizer: tokenizer,
                preprocessing: preprocessing)
        case .sentenceEncoder:
            model = EmbeddingModel(
                encoder: try SentenceEncoder.load(folder, dtype: dtype, device: device.checked()),
                tokenizer: tokenizer)
        case .coca:
            let preprocessing = try loadPreprocessing(description)
            model = EmbeddingModel(
                encoder: try CoCa.load(folder, dtype: dtype, device: device.checked()), tokenizer: tokenizer,
                preprocessing: preprocessing)
        }
        // A report of the keys says more than a hash, so it came first.
        try description.manifest?.verifyHashes(folder: folder, limit: hashedFileLimit)
        return model
    }

    /// Reads the tokenizer of a model folder alone.
    ///
    /// - Throws: as `TokenizerFolder.load`; `.invalidConfiguration` for one with more tokens than the text tower knows.
    public static func loadTokenizer(_ folder: ModelFolder) throws(ConcordError) -> any Tokenizer {
        let source = folder.tokenizer
        let base = try TokenizerFolder.load(
            source.folder, mode: source.clipMode == .openai ? .openai : .huggingface)
        try require(
            folder, base.vocabularySize <= folder.text.vocabularySize,
            "its tokenizer has \(base.vocabularySize) tokens, its configuration \(folder.text.vocabularySize)")
        let cleaning = source.cleaning.flatMap { TextCleaning(rawValue: $0.rawValue) } ?? .none
        // What stands behind an empty text is the separator.
        let separator = source.stripsSeparator ? base.encode("").last : nil
        guard cleaning != .none || separator != nil || source.lowercases else { return base }
        return CleaningTokenizer(
            base, cleaning: source.lowercases ? .lowercase : cleaning, strippedToken: separator)
    }

    /// Reads how the pictures of a model folder are prepared.
    ///
    /// - Throws: `.fileSystem` when the folder does not say; `.invalidConfiguration` for a model without pictures, for
    ///   what is not supported, and where the image tower wants other pictures.
    public static func loadPreprocessing(_ folder: ModelFolder) throws(ConcordError) -> ImagePreprocessing {
        guard let vision = folder.architecture.vision else {
            throw ConcordError(
                .invalidConfiguration, "\(folder.path) embeds texts only; name a model with an image tower")
        }
        let preprocessing: ImagePreprocessing =
            if case .openCLIP(let document) = folder.preprocessing {
                try ImagePreprocessing(openCLIPConfig: document, imageSize: vision.imageSize)
            } else {
                try ImagePreprocessing(folder: folder.path)
            }
        try require(
            folder, vision.channels == 3, "its configuration wants \(vision.channels) channels, pictures have 3")
        try require(
            folder, preprocessing.cropSize == vision.imageSize,
            "its preprocessing makes pictures of \(preprocessing.cropSize) pixels, its configuration wants "
                + "\(vision.imageSize)")
        return preprocessing
    }

    /// Throws `.invalidConfiguration` when the files of a folder do not belong together.
    private static func require(
        _ folder: ModelFolder, _ isRight: Bool, _ problem: @autoclosure () -> String
    ) throws(ConcordError) {
        guard !isRight else { return }
        throw ConcordError(.invalidConfiguration, "\(folder.path): \(problem()); fetch or save the model again")
    }
}
