import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordMedia
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordText

/// A trained model as its users see it: images and texts in, unit vectors out.
///
/// A model may have one of its two sides alone: a tower alone, and one whose folder lacks the tokenizer, or says not how
/// images are prepared. What needs the other side then throws.
public struct EmbeddingModel {
    /// The text encoder and its tokenizer.
    public struct TextSide {
        public let encoder: any TextEncoder
        public let tokenizer: any Tokenizer
    }

    /// The image encoder and its preprocessing.
    public struct ImageSide {
        public let encoder: any ImageEncoder
        public let preprocessing: ImagePreprocessing
    }

    public let encoder: any EmbeddingEncoder
    let textResult: Result<TextSide, ConcordError>
    let imageResult: Result<ImageSide, ConcordError>
    /// Nil for a model that cannot embed texts; ``textSide()`` says why.
    public var texts: TextSide? { try? textResult.get() }
    /// Nil for a model that cannot embed images; ``imageSide()`` says why.
    public var images: ImageSide? { try? imageResult.get() }
    /// Notes for the user on conversions when loading and on unusual weights.
    public var notes: [String] { encoder.store.notes }

    public init(encoder: any ImageTextEncoder, tokenizer: any Tokenizer, preprocessing: ImagePreprocessing) {
        self.init(encoder, tokenizer: .success(tokenizer), preprocessing: .success(preprocessing))
    }

    /// A model that embeds texts alone.
    public init(encoder: any TextEncoder, tokenizer: any Tokenizer) {
        self.init(encoder, tokenizer: .success(tokenizer), preprocessing: .failure(Self.textsOnly))
    }

    /// A model that embeds images alone.
    public init(encoder: any ImageEncoder, preprocessing: ImagePreprocessing) {
        self.init(encoder, tokenizer: .failure(Self.imagesOnly), preprocessing: .success(preprocessing))
    }

    private static let textsOnly = ConcordError(
        .invalidConfiguration, "this model embeds texts only; name a model with an image tower")
    private static let imagesOnly = ConcordError(
        .invalidConfiguration,
        "this model embeds images only; name a model with a text tower")

    /// A model of which a side may lack what it needs, with the error that says what.
    init(
        _ encoder: any EmbeddingEncoder, tokenizer: Result<any Tokenizer, ConcordError>,
        preprocessing: Result<ImagePreprocessing, ConcordError>
    ) {
        self.encoder = encoder
        if let text = encoder as? any TextEncoder {
            textResult = tokenizer.map { TextSide(encoder: text, tokenizer: $0) }
        } else {
            textResult = .failure(Self.imagesOnly)
        }
        if let image = encoder as? any ImageEncoder {
            imageResult = preprocessing.map { ImageSide(encoder: image, preprocessing: $0) }
        } else {
            imageResult = .failure(Self.textsOnly)
        }
    }

    /// The side that embeds texts.
    ///
    /// - Throws: `.invalidConfiguration` for a model that has none; what keeps the folder's tokenizer from being read.
    package func textSide() throws(ConcordError) -> TextSide { try textResult.get() }

    /// The side that embeds images to vectors.
    ///
    /// - Throws: `.invalidConfiguration` for a model that has none, or none with one vector an image; what keeps the
    ///   folder's preprocessing from being read.
    package func imageSide() throws(ConcordError) -> ImageSide {
        let images = try imageResult.get()
        guard images.encoder.visionConfiguration.pooling != .none else {
            throw ConcordError(
                .invalidConfiguration,
                "this model's image tower outputs a vector per patch, not one for the whole image, so there is "
                    + "nothing to compare")
        }
        return images
    }

    /// The model, where it can compare images with texts.
    ///
    /// - Throws: as ``textSide()`` and ``imageSide()``.
    package func imageTextEncoder() throws(ConcordError) -> any ImageTextEncoder {
        let images = try imageSide()
        _ = try textSide()
        guard let encoder = images.encoder as? any ImageTextEncoder else {
            preconditionFailure("a model with both sides compares them")
        }
        return encoder
    }

    /// The model that writes captions, and how it wants its images. Throws `.invalidConfiguration` for one that cannot.
    public func captioner() throws(ConcordError) -> (model: any CaptioningModel, preprocessing: ImagePreprocessing) {
        guard let model = encoder as? any CaptioningModel else {
            throw ConcordError(
                .invalidConfiguration,
                "this model cannot caption; name a CoCa, such as runs/emoji-coca after its training")
        }
        return (model, try imageSide().preprocessing)
    }

    /// Unit vectors of texts, `[texts, width]` float32 on the host, and how many texts were cut at the context length.
    ///
    /// - Throws: as ``textSide()``.
    public func embed(
        texts: [String], batchSize: Int = 256
    ) throws(ConcordError) -> (vectors: Tensor, truncated: Int) {
        // Captions of like length share a batch, so that short ones are not padded to a long one.
        let order = texts.indices.sorted { texts[$0].utf8.count < texts[$1].utf8.count }
        var truncated = 0, blocks = [Tensor]()
        for start in stride(from: 0, to: order.count, by: batchSize) {
            let rows = order[start..<min(start + batchSize, order.count)]
            let batch = try tokenBatch(rows.map { texts[$0] })
            truncated += batch.truncatedCount
            blocks.append(try embed(batch))
        }
        return (Self.scatter(blocks, order: order, width: encoder.embeddingWidth), truncated)
    }

    /// The ids of texts, padded as the text tower takes them.
    package func tokenBatch(_ texts: [String]) throws(ConcordError) -> TokenBatch {
        let side = try textSide(), configuration = side.encoder.textConfiguration
        return side.tokenizer.batch(
            texts, contextLength: configuration.contextLength, padsToContext: configuration.readsPadding,
            padToken: configuration.padToken(side.tokenizer))
    }

    /// Unit vectors of the texts of a batch, `[texts, width]` float32 on the host.
    package func embed(_ batch: TokenBatch) throws(ConcordError) -> Tensor {
        let encoder = try textSide().encoder
        return inference { device in
            encoder.embedTexts(
                Tensor(batch.ids, shape: [batch.lengths.count, batch.width]).to(device),
                lengths: Tensor(batch.lengths.map(Int64.init)).to(device))
        }
    }

    /// Unit vectors of decoded images, `[images, width]` float32 on the host.
    ///
    /// - Throws: as ``imageSide()``.
    public func embed(images: [Image]) throws(ConcordError) -> Tensor {
        let preprocessing = try imageSide().preprocessing
        return try embed(pixels: images.flatMap { preprocessing($0) }, count: images.count)
    }

    /// Unit vectors of preprocessed images, `[count, 3, size, size]` in `pixels`.
    ///
    /// - Throws: as ``imageSide()``.
    public func embed(pixels: [Float], count: Int) throws(ConcordError) -> Tensor {
        let encoder = try imageSide().encoder, size = encoder.visionConfiguration.imageSize
        return inference { encoder.embedImages(Tensor(pixels, shape: [count, 3, size, size]).to($0)) }
    }

    /// Scaled cosines of unit vectors, with the bias where the model has one: `[n, width]` and `[m, width]` → `[n, m]`
    /// float32 on the host.
    ///
    /// - Throws: as ``imageTextEncoder()``.
    public func logits(images: Tensor, texts: Tensor) throws(ConcordError) -> Tensor {
        let encoder = try imageTextEncoder()
        return inference { encoder.logits(images: images.to($0), texts: texts.to($0)) }
    }

    private func inference(_ body: (Device) -> Tensor) -> Tensor {
        let wasTraining = encoder.store.isTraining
        encoder.store.isTraining = false
        defer { encoder.store.isTraining = wasTraining }
        return withoutGradient { body(encoder.store.device).to(.float32).to(.cpu) }
    }

    /// Puts rows that were computed in `order` back into their places.
    private static func scatter(_ blocks: [Tensor], order: [Int], width: Int) -> Tensor {
        guard !blocks.isEmpty else { return .zeros([0, width]) }
        var place = [Int](repeating: 0, count: order.count)
        for (row, index) in order.enumerated() { place[index] = row }
        return Tensor.concatenated(blocks).indexSelected(axis: 0, Tensor(place, shape: [place.count]))
    }
}

extension EmbeddingModel {
    /// The longest file that is compared with its hash in `concord.json` whenever a model is loaded, in bytes.
    ///
    /// Hashing the weights of a large model would take longer than all the rest of loading; ``ModelInspection/verify()``
    /// does it when asked.
    package static let hashedFileLimit = 64 << 20

    /// Reads a model folder of Concord, transformers, open_clip or sentence-transformers: weights, tokenizer and
    /// preprocessing.
    ///
    /// A folder without a tokenizer that can be read embeds images all the same, and one that says not how images are
    /// prepared embeds texts; ``textSide()`` and ``imageSide()`` throw what is wrong.
    ///
    /// - Parameter dtype: of the parameters; nil keeps the checkpoint's.
    /// - Throws: a `ConcordError` that names the file at fault.
    public static func load(
        _ folder: String, dtype: DType? = .float32, device: Device = .cpu
    ) throws -> EmbeddingModel {
        let description = try ModelFolder(folder), device = try device.checked()
        let encoder = try description.loadModel(dtype: dtype, device: device)
        // A report of the keys says more than a hash, so it came first.
        try description.manifest?.verifyHashes(folder: folder, limit: hashedFileLimit)
        return EmbeddingModel(
            encoder, tokenizer: Result { () throws(ConcordError) in try description.loadTokenizer() },
            preprocessing: Result { () throws(ConcordError) in try description.loadPreprocessing() })
    }
}
