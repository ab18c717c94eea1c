import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordMedia
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordText

/// A trained model as its users see it: pictures and texts in, unit vectors out.
///
/// A sentence encoder embeds texts only; what needs pictures then throws.
public struct EmbeddingModel {
    /// The model, and how it wants its pictures.
    public struct ImageSide {
        public let encoder: any ImageTextEncoder
        public let preprocessing: ImagePreprocessing
    }

    public let encoder: any TextEncoder
    public let tokenizer: any Tokenizer
    /// Nil for a sentence encoder.
    public let images: ImageSide?
    /// What loading did beyond copying and what is odd about the weights, for the user.
    public var notes: [String] { encoder.store.notes }

    public init(encoder: any ImageTextEncoder, tokenizer: any Tokenizer, preprocessing: ImagePreprocessing) {
        self.encoder = encoder
        self.tokenizer = tokenizer
        images = ImageSide(encoder: encoder, preprocessing: preprocessing)
    }

    public init(encoder: SentenceEncoder, tokenizer: any Tokenizer) {
        self.encoder = encoder
        self.tokenizer = tokenizer
        images = nil
    }

    /// The side that embeds pictures to vectors. Throws `.invalidConfiguration` for a model that has none.
    public func imageSide() throws(ConcordError) -> ImageSide {
        guard let images else {
            throw ConcordError(
                .invalidConfiguration, "this model embeds texts only; name a model with an image tower")
        }
        guard images.encoder.visionConfiguration.pooling != .none else {
            throw ConcordError(
                .invalidConfiguration,
                "this model's image tower gives a vector for each patch, not one for the picture; nothing can be "
                    + "compared with it")
        }
        return images
    }

    /// The model that writes captions, and how it wants its pictures. Throws `.invalidConfiguration` for one that cannot.
    public func captioner() throws(ConcordError) -> (model: CoCa, preprocessing: ImagePreprocessing) {
        guard let images, let model = images.encoder as? CoCa else {
            throw ConcordError(
                .invalidConfiguration,
                "this model cannot caption; name a CoCa, such as runs/emoji-coca after its training")
        }
        return (model, images.preprocessing)
    }

    /// Unit vectors of texts, `[texts, width]` float32 on the host, and how many texts were cut at the context length.
    public func embed(texts: [String], batchSize: Int = 256) -> (vectors: Tensor, truncated: Int) {
        // Captions of like length share a batch, so that short ones are not padded to a long one.
        let order = texts.indices.sorted { texts[$0].utf8.count < texts[$1].utf8.count }
        var truncated = 0, blocks = [Tensor]()
        for start in stride(from: 0, to: order.count, by: batchSize) {
            let rows = order[start..<min(start + batchSize, order.count)]
            let batch = tokenBatch(rows.map { texts[$0] })
            truncated += batch.truncatedCount
            blocks.append(embed(batch))
        }
        return (Self.scatter(blocks, order: order, width: encoder.embeddingWidth), truncated)
    }

    /// The ids of texts, padded as the text tower takes them.
    package func tokenBatch(_ texts: [String]) -> TokenBatch {
        let configuration = encoder.textConfiguration
        return tokenizer.batch(
            texts, contextLength: configuration.contextLength, padsToContext: configuration.readsPadding,
            padToken: configuration.padToken(tokenizer))
    }

    /// Unit vectors of the texts of a batch, `[texts, width]` float32 on the host.
    package func embed(_ batch: TokenBatch) -> Tensor {
        inference { device in
            encoder.embedTexts(
                Tensor(batch.ids, shape: [batch.lengths.count, batch.width]).to(device),
                lengths: Tensor(batch.lengths.map(Int64.init)).to(device))
        }
    }

    /// Unit vectors of decoded pictures, `[pictures, width]` float32 on the host.
    ///
    /// - Throws: as ``imageSide()``.
    public func embed(images: [Image]) throws(ConcordError) -> Tensor {
        let preprocessing = try imageSide().preprocessing
        return try embed(pixels: images.flatMap { preprocessing($0) }, count: images.count)
    }

    /// Unit vectors of preprocessed pictures, `[count, 3, size, size]` in `pixels`.
    ///
    /// - Throws: as ``imageSide()``.
    public func embed(pixels: [Float], count: Int) throws(ConcordError) -> Tensor {
        let encoder = try imageSide().encoder, size = encoder.visionConfiguration.imageSize
        return inference { encoder.embedImages(Tensor(pixels, shape: [count, 3, size, size]).to($0)) }
    }

    /// Scaled cosines of unit vectors, with the bias where the model has one: `[n, width]` and `[m, width]` → `[n, m]`
    /// float32 on the host.
    ///
    /// - Throws: as ``imageSide()``.
    public func logits(images: Tensor, texts: Tensor) throws(ConcordError) -> Tensor {
        let encoder = try imageSide().encoder
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
