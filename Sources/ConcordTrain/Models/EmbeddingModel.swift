import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordMedia
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordText

/// A trained model as its users see it: pictures and texts in, unit vectors out.
public struct EmbeddingModel {
    public let clip: CLIP
    public let tokenizer: CLIPTokenizer
    public let preprocessing: ImagePreprocessing

    public init(clip: CLIP, tokenizer: CLIPTokenizer, preprocessing: ImagePreprocessing) {
        self.clip = clip
        self.tokenizer = tokenizer
        self.preprocessing = preprocessing
    }

    /// Reads a model folder: weights, tokenizer and preprocessing.
    ///
    /// - Throws: a `ConcordError` that names the file at fault.
    public static func load(_ folder: String, device: Device = .cpu) throws -> EmbeddingModel {
        guard Files.exists(folder + "/config.json") else {
            let isUnfinished = Files.exists(folder + "/checkpoints")
            throw ConcordError(
                .invalidCheckpoint,
                "\(folder) is no model folder: it has no config.json"
                    + (isUnfinished ? "; its training has not finished, run it again with --resume" : ""))
        }
        let preprocessorPath = folder + "/preprocessor_config.json"
        let preprocessing = try ImagePreprocessing(
            preprocessorConfig: JSONValue(parsing: Files.read(preprocessorPath), source: preprocessorPath))
        let tokenizer = try loadTokenizer(folder)
        try check(CLIPConfiguration(folder: folder), tokenizer, preprocessing, folder)
        // A report of the keys says more than a hash, so it comes first.
        let clip = try CLIP.load(folder, device: device.checked())
        if Files.exists(folder + "/" + ModelManifest.fileName) {
            try ModelManifest(folder: folder).verifyHashes(folder: folder)
        }
        return EmbeddingModel(clip: clip, tokenizer: tokenizer, preprocessing: preprocessing)
    }

    /// Throws `.invalidConfiguration` when the files of a folder do not belong together.
    private static func check(
        _ configuration: CLIPConfiguration, _ tokenizer: CLIPTokenizer, _ preprocessing: ImagePreprocessing,
        _ folder: String
    ) throws(ConcordError) {
        func require(_ isRight: Bool, _ problem: @autoclosure () -> String) throws(ConcordError) {
            guard !isRight else { return }
            throw ConcordError(.invalidConfiguration, "\(folder): \(problem()); fetch or save the model again")
        }
        let vision = configuration.vision, text = configuration.text
        try require(vision.channels == 3, "config.json wants \(vision.channels) channels, pictures have 3")
        try require(
            preprocessing.cropSize == vision.imageSize,
            "preprocessor_config.json makes pictures of \(preprocessing.cropSize) pixels, config.json wants "
                + "\(vision.imageSize)")
        try require(
            tokenizer.vocabularySize <= text.vocabularySize,
            "tokenizer.json has \(tokenizer.vocabularySize) tokens, config.json \(text.vocabularySize)")
        guard Files.exists(folder + "/" + ModelManifest.fileName) else { return }
        let manifest = try ModelManifest(folder: folder)
        try require(
            manifest.quirks.activation == text.activation && manifest.quirks.pooling == text.endTokenPooling
                && manifest.contextLength == text.contextLength,
            "concord.json and config.json disagree on activation, pooling or context length")
    }

    /// Reads the tokenizer of a model folder alone.
    public static func loadTokenizer(_ folder: String) throws -> CLIPTokenizer {
        try CLIPTokenizer(folder: folder, mode: tokenizerMode(folder))
    }

    /// Writes a complete model folder, the manifest last: where it stands, everything else does too.
    public func save(to folder: String, training: ModelManifest.Training?) throws {
        let weights = CheckpointReader.fileName, configuration = clip.configuration
        try Files.makeFolder(folder)
        try clip.store.save(to: folder + "/" + weights)
        try Files.replace(folder + "/config.json", with: configuration.huggingFaceJSON().text(pretty: true) + "\n")
        try tokenizer.write(to: folder, contextLength: configuration.text.contextLength)
        try Files.replace(
            folder + "/preprocessor_config.json", with: preprocessing.preprocessorConfig().text(pretty: true) + "\n")
        let manifest = ModelManifest(
            quirks: .init(
                activation: configuration.text.activation, pooling: configuration.text.endTokenPooling,
                tokenizer: tokenizer.mode == .openai ? .openai : .huggingface,
                crop: preprocessing.cropRule == .torchvision ? .torchvision : .huggingface),
            contextLength: configuration.text.contextLength,
            hashes: [weights: try FileHash(.sha256, ofFile: folder + "/" + weights).hexadecimal], training: training)
        try manifest.write(folder: folder)
    }

    /// The text cleaning that the manifest names; a folder of Hugging Face's has none and cleans as they do.
    private static func tokenizerMode(_ folder: String) throws -> CLIPTokenizer.Mode {
        guard Files.exists(folder + "/concord.json") else { return .huggingface }
        return try ModelManifest(folder: folder).quirks.tokenizer == .openai ? .openai : .huggingface
    }

    /// Unit vectors of texts, `[texts, width]` float32 on the host, and how many texts were cut at the context length.
    public func embed(texts: [String], batchSize: Int = 256) -> (vectors: Tensor, truncated: Int) {
        // Captions of like length share a batch, so that short ones are not padded to a long one.
        let order = texts.indices.sorted { texts[$0].utf8.count < texts[$1].utf8.count }
        var truncated = 0, blocks = [Tensor]()
        for start in stride(from: 0, to: order.count, by: batchSize) {
            let rows = order[start..<min(start + batchSize, order.count)]
            let batch = tokenizer.batch(
                rows.map { texts[$0] }, contextLength: clip.configuration.text.contextLength)
            truncated += batch.truncatedCount
            blocks.append(embed(batch))
        }
        return (Self.scatter(blocks, order: order, width: clip.configuration.projectionWidth), truncated)
    }

    private func embed(_ batch: TokenBatch) -> Tensor {
        inference { clip.embedTexts(Tensor(batch.ids, shape: [batch.lengths.count, batch.width]).to($0)) }
    }

    /// Unit vectors of decoded pictures, `[pictures, width]` float32 on the host.
    public func embed(images: [Image]) -> Tensor {
        embed(pixels: images.flatMap { preprocessing($0) }, count: images.count)
    }

    /// Unit vectors of preprocessed pictures, `[count, 3, size, size]` in `pixels`.
    public func embed(pixels: [Float], count: Int) -> Tensor {
        let size = clip.configuration.vision.imageSize
        return inference { clip.embedImages(Tensor(pixels, shape: [count, 3, size, size]).to($0)) }
    }

    /// Unit vectors of texts and pictures in the order given, `[inputs, width]`, and how many texts were cut.
    ///
    /// - Throws: `.invalidImage` for the first picture that cannot be decoded.
    public func embed(
        _ inputs: [EmbeddingInput], batchSize: Int = 64, progress: ProgressDisplay? = nil
    ) throws -> (vectors: Tensor, truncated: Int) {
        var texts = [(row: Int, text: String)](), images = [(row: Int, path: String)]()
        for (row, input) in inputs.enumerated() {
            switch input {
            case .text(let text): texts.append((row, text))
            case .image(let path): images.append((row, path))
            }
        }
        let (textVectors, truncated) = embed(texts: texts.map(\.text))
        var blocks = [textVectors]
        for start in stride(from: 0, to: images.count, by: batchSize) {
            let end = min(start + batchSize, images.count)
            blocks.append(embed(images: try images[start..<end].map { try Image(contentsOf: $0.path) }))
            progress?.show(done: end, of: images.count)
        }
        progress?.finish()
        let order = texts.map(\.row) + images.map(\.row)
        return (Self.scatter(blocks, order: order, width: clip.configuration.projectionWidth), truncated)
    }

    private func inference(_ body: (Device) -> Tensor) -> Tensor {
        let wasTraining = clip.store.isTraining
        clip.store.isTraining = false
        defer { clip.store.isTraining = wasTraining }
        return withoutGradient { body(clip.logitScale.device).to(.float32).to(.cpu) }
    }

    /// Puts rows that were computed in `order` back into their places.
    private static func scatter(_ blocks: [Tensor], order: [Int], width: Int) -> Tensor {
        guard !blocks.isEmpty else { return .zeros([0, width]) }
        var place = [Int](repeating: 0, count: order.count)
        for (row, index) in order.enumerated() { place[index] = row }
        return Tensor.concatenated(blocks).indexSelected(axis: 0, Tensor(place, shape: [place.count]))
    }
}
