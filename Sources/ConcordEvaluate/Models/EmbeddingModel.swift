import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordMedia
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordText

/// A trained model as its users see it: images, texts and sounds in, unit vectors out.
///
/// A model may have some of these sides alone: a tower alone, and one whose folder lacks the tokenizer, or says not how
/// images or sounds are prepared. What needs another side then throws.
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

    /// The audio encoder and its preprocessing.
    public struct AudioSide {
        public let encoder: any AudioEncoder
        public let preprocessing: AudioPreprocessing
    }

    public let encoder: any EmbeddingEncoder
    /// The mean vectors of its modalities; nil where nobody has measured them.
    public var calibration: ModalityCalibration?
    let textResult: Result<TextSide, ConcordError>
    let imageResult: Result<ImageSide, ConcordError>
    let audioResult: Result<AudioSide, ConcordError>
    /// Nil for a model that cannot embed texts; ``textSide()`` says why.
    public var texts: TextSide? { try? textResult.get() }
    /// Nil for a model that cannot embed images; ``imageSide()`` says why.
    public var images: ImageSide? { try? imageResult.get() }
    /// Nil for a model that cannot embed sounds; ``audioSide()`` says why.
    public var sounds: AudioSide? { try? audioResult.get() }
    /// Notes for the user on conversions when loading and on unusual weights.
    public var notes: [String] { encoder.store.notes }

    /// - Parameter audioPreprocessing: of a model that embeds sounds, too.
    public init(
        encoder: any ImageTextEncoder, tokenizer: any Tokenizer, preprocessing: ImagePreprocessing,
        audioPreprocessing: AudioPreprocessing? = nil
    ) {
        self.init(
            encoder, tokenizer: .success(tokenizer), preprocessing: .success(preprocessing),
            audioPreprocessing: audioPreprocessing.map { .success($0) })
    }

    /// A model that embeds texts alone.
    public init(encoder: any TextEncoder, tokenizer: any Tokenizer) {
        self.init(encoder, tokenizer: .success(tokenizer), preprocessing: .failure(Self.textsOnly))
    }

    /// A model that embeds images alone.
    public init(encoder: any ImageEncoder, preprocessing: ImagePreprocessing) {
        self.init(encoder, tokenizer: .failure(Self.imagesOnly), preprocessing: .success(preprocessing))
    }

    /// A model that embeds sounds and texts.
    public init(encoder: any AudioTextEncoder, tokenizer: any Tokenizer, preprocessing: AudioPreprocessing) {
        self.init(
            encoder, tokenizer: .success(tokenizer),
            preprocessing: .failure(Self.missing("an image tower", in: encoder)),
            audioPreprocessing: .success(preprocessing))
    }

    /// A model that embeds sounds alone.
    public init(encoder: any AudioEncoder, preprocessing: AudioPreprocessing) {
        self.init(
            encoder, tokenizer: .failure(Self.missing("a text tower", in: encoder)),
            preprocessing: .failure(Self.missing("an image tower", in: encoder)),
            audioPreprocessing: .success(preprocessing))
    }

    private static let textsOnly = ConcordError(
        .invalidConfiguration, "this model embeds texts only; name a model with an image tower")
    private static let imagesOnly = ConcordError(
        .invalidConfiguration,
        "this model embeds images only; name a model with a text tower")

    /// - Parameter tower: what the model has not.
    private static func missing(_ tower: String, in encoder: any EmbeddingEncoder) -> ConcordError {
        let sides = [
            encoder is any ImageEncoder ? "images" : nil, encoder is any TextEncoder ? "texts" : nil,
            encoder is any AudioEncoder ? "sounds" : nil,
        ].compactMap(\.self)
        return ConcordError(
            .invalidConfiguration,
            "this model embeds \(sides.joined(separator: " and ")) only; name a model with \(tower)")
    }

    /// A model of which a side may lack what it needs, with the error that says what.
    init(
        _ encoder: any EmbeddingEncoder, tokenizer: Result<any Tokenizer, ConcordError>,
        preprocessing: Result<ImagePreprocessing, ConcordError>,
        audioPreprocessing: Result<AudioPreprocessing, ConcordError>? = nil
    ) {
        self.encoder = encoder
        if let text = encoder as? any TextEncoder {
            textResult = tokenizer.map { TextSide(encoder: text, tokenizer: $0) }
        } else {
            textResult = .failure(Self.missing("a text tower", in: encoder))
        }
        if let image = encoder as? any ImageEncoder {
            imageResult = preprocessing.map { ImageSide(encoder: image, preprocessing: $0) }
        } else {
            imageResult = .failure(Self.missing("an image tower", in: encoder))
        }
        if let audio = encoder as? any AudioEncoder, let audioPreprocessing {
            audioResult = audioPreprocessing.map { AudioSide(encoder: audio, preprocessing: $0) }
        } else {
            audioResult = .failure(Self.missing("an audio tower", in: encoder))
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

    /// The side that embeds sounds.
    ///
    /// - Throws: `.invalidConfiguration` for a model that has none; what keeps the folder's preprocessing from being read.
    package func audioSide() throws(ConcordError) -> AudioSide { try audioResult.get() }

    /// Throws as ``imageSide()``, ``audioSide()`` and ``textSide()`` where the model cannot compare a modality, images or
    /// sounds, with texts.
    package func checkComparison(of modality: Modality) throws(ConcordError) {
        if modality == .audio { _ = try audioTextEncoder() } else { _ = try imageTextEncoder() }
    }

    /// The model, where it can compare sounds with texts.
    ///
    /// - Throws: as ``textSide()`` and ``audioSide()``; `.invalidConfiguration` for a model of both without a scale for
    ///   them.
    package func audioTextEncoder() throws(ConcordError) -> any AudioTextEncoder {
        _ = try audioSide()
        _ = try textSide()
        guard let encoder = encoder as? any AudioTextEncoder else {
            throw ConcordError(
                .invalidConfiguration, "this model compares no sounds with texts; name a CLAP")
        }
        return encoder
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

    /// Unit vectors of sounds, `[sounds, width]` float32 on the host.
    ///
    /// - Throws: as ``audioSide()``; `.invalidAudio` for a sound that the preprocessing cannot use.
    public func embed(sounds: [AudioClip]) throws(ConcordError) -> Tensor {
        let extractor = try audioSide().preprocessing.extractor()
        var features = [AudioFeatures]()
        for sound in sounds { features.append(try extractor(sound)) }
        return try embed(features: features)
    }

    /// Unit vectors of sounds by their features, `[features, width]` float32 on the host.
    ///
    /// - Throws: as ``audioSide()``.
    public func embed(features: [AudioFeatures], batchSize: Int = 8) throws(ConcordError) -> Tensor {
        let encoder = try audioSide().encoder
        var blocks = [Tensor.zeros([0, encoder.embeddingWidth])]
        for start in stride(from: 0, to: features.count, by: batchSize) {
            // What a sound has beyond the longest that the tower hears is left out.
            let batch = features[start..<min(start + batchSize, features.count)].map {
                $0.first(encoder.audioConfiguration.frames.upperBound)
            }
            let frames = batch.map(\.frames).max() ?? 0
            blocks.append(
                inference { device in
                    let values = Tensor.stacked(batch.map { $0.tensor(frames: frames) })
                    // More frames than there are say that the sound is longer than what is seen of it.
                    let lengths = batch.map { Int64($0.isLonger ? frames + 1 : $0.length) }
                    return encoder.embedAudio(values.to(device), lengths: Tensor(lengths).to(device))
                })
        }
        return Tensor.concatenated(blocks)
    }

    /// Scaled cosines of sounds and texts: `[n, width]` and `[m, width]` → `[n, m]` float32 on the host.
    ///
    /// - Throws: as ``audioTextEncoder()``.
    public func logits(sounds: Tensor, texts: Tensor) throws(ConcordError) -> Tensor {
        let encoder = try audioTextEncoder()
        return inference { encoder.logits(sounds: sounds.to($0), texts: texts.to($0)) }
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
    /// A folder without a tokenizer that can be read embeds images and sounds all the same, and one that says not how these
    /// are prepared embeds texts; ``textSide()``, ``imageSide()`` and ``audioSide()`` throw what is wrong.
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
        var model = EmbeddingModel(
            encoder, tokenizer: Result { () throws(ConcordError) in try description.loadTokenizer() },
            preprocessing: Result { () throws(ConcordError) in try description.loadPreprocessing() },
            audioPreprocessing: Result { () throws(ConcordError) in try description.loadAudioPreprocessing() })
        model.calibration = description.manifest?.calibration
        return model
    }
}

extension AudioFeatures {
    /// `[channels, frames, bins]`, zeros after the own frames.
    fileprivate func tensor(frames count: Int) -> Tensor {
        let own = Tensor(values, shape: [channels, frames, bins])
        return frames == count ? own : own.padded([0, 0, 0, count - frames])
    }
}
