import ConcordCheckpoint
import ConcordCore
import ConcordMedia
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordText

extension EmbeddingModel {
    /// Reads a model folder: weights, tokenizer and preprocessing.
    ///
    /// - Throws: a `ConcordError` that names the file at fault.
    public static func load(_ folder: String, device: Device = .cpu) throws -> EmbeddingModel {
        let description = try ModelFolder(folder), tokenizer = try loadTokenizer(folder)
        let model: EmbeddingModel
        switch description.architecture {
        case .dualEncoder(let configuration):
            let preprocessing = try loadPreprocessing(description)
            try check(configuration.text, tokenizer, description)
            model = EmbeddingModel(
                encoder: try DualEncoder.load(folder, device: device.checked()), tokenizer: tokenizer,
                preprocessing: preprocessing)
        case .sentenceEncoder(let configuration):
            try check(.bert(configuration), tokenizer, description)
            let source = ParameterSource(try CheckpointReader(path: description.weights), layout: description.layout)
            let store = ParameterStore(sources: [source], device: try device.checked())
            model = EmbeddingModel(encoder: SentenceEncoder(configuration, store: store), tokenizer: tokenizer)
            try store.finishLoading()
        }
        // A report of the keys says more than a hash, so it came first.
        try description.manifest?.verifyHashes(folder: folder)
        return model
    }

    /// Reads the tokenizer of a model folder alone.
    public static func loadTokenizer(_ folder: String) throws(ConcordError) -> any Tokenizer {
        let description = try ModelFolder(folder)
        return try TokenizerFolder.load(
            folder, mode: description.manifest?.quirks.tokenizer == .openai ? .openai : .huggingface)
    }

    /// Reads the preprocessing of a model folder alone.
    static func loadPreprocessing(_ folder: ModelFolder) throws(ConcordError) -> ImagePreprocessing {
        let path = folder.path + "/preprocessor_config.json"
        let preprocessing = try ImagePreprocessing(
            preprocessorConfig: JSONValue(parsing: Files.read(path), source: path))
        if case .dualEncoder(let configuration) = folder.architecture {
            try check(configuration, preprocessing, folder)
        }
        return preprocessing
    }

    private static func check(
        _ configuration: DualEncoderConfiguration, _ preprocessing: ImagePreprocessing, _ folder: ModelFolder
    ) throws(ConcordError) {
        let vision = configuration.vision
        try require(
            folder, vision.channels == 3, "its configuration wants \(vision.channels) channels, pictures have 3")
        try require(
            folder, preprocessing.cropSize == vision.imageSize,
            "its preprocessing makes pictures of \(preprocessing.cropSize) pixels, its configuration wants "
                + "\(vision.imageSize)")
    }

    private static func check(
        _ text: TextTowerConfiguration, _ tokenizer: any Tokenizer, _ folder: ModelFolder
    ) throws(ConcordError) {
        try require(
            folder, tokenizer.vocabularySize <= text.vocabularySize,
            "its tokenizer has \(tokenizer.vocabularySize) tokens, its configuration \(text.vocabularySize)")
        guard let manifest = folder.manifest else { return }
        try require(
            folder, manifest.contextLength == text.contextLength,
            "\(ModelManifest.fileName) has a context of \(manifest.contextLength) tokens, its configuration "
                + "\(text.contextLength)")
    }

    /// Throws `.invalidConfiguration` when the files of a folder do not belong together.
    private static func require(
        _ folder: ModelFolder, _ isRight: Bool, _ problem: @autoclosure () -> String
    ) throws(ConcordError) {
        guard !isRight else { return }
        throw ConcordError(.invalidConfiguration, "\(folder.path): \(problem()); fetch or save the model again")
    }

    /// Writes a complete model folder, the manifest last: where it stands, everything else does too.
    public func save(to folder: String, training: ModelManifest.Training?) throws {
        let side = try imageSide(), configuration = side.encoder.configuration
        let weights = CheckpointReader.fileName
        try Files.makeFolder(folder)
        try encoder.store.save(to: folder + "/" + weights)
        try Files.replace(folder + "/config.json", with: try configuration.huggingFaceJSON().text(pretty: true) + "\n")
        try tokenizer.write(to: folder, contextLength: configuration.text.contextLength)
        try Files.replace(
            folder + "/preprocessor_config.json",
            with: side.preprocessing.preprocessorConfig().text(pretty: true) + "\n")
        guard case .transformer(let text) = configuration.text else { return }
        let manifest = ModelManifest(
            quirks: .init(
                activation: text.activation, pooling: text.pooling,
                tokenizer: (tokenizer as? CLIPTokenizer)?.mode == .openai ? .openai : .huggingface,
                crop: side.preprocessing.cropRule == .torchvision ? .torchvision : .huggingface),
            contextLength: configuration.text.contextLength,
            hashes: [weights: try SHA256.hexadecimal(ofFile: folder + "/" + weights)], training: training)
        try manifest.write(folder: folder)
    }
}
