import ConcordCore

/// The architecture of a CLIP model, as Hugging Face's `config.json` describes it.
///
/// Follows `configuration_clip.py` of transformers 5.23: absent members take its defaults, members that do not change
/// the model are ignored.
public struct CLIPConfiguration: Sendable, Hashable {
    /// The activation between the two linear layers of a block.
    public enum Activation: String, Sendable, Hashable, CaseIterable {
        /// x·σ(1.702·x), OpenAI's approximation. Weights trained with one activation lose accuracy with the other.
        case quickGELU = "quick_gelu"
        /// x·Φ(x), the exact form with the error function.
        case gelu
    }

    /// Which position of a text stands for the whole.
    public enum EndTokenPooling: String, Sendable, Hashable, CaseIterable {
        /// The position of the largest token id: right where the end token is the last of the vocabulary.
        case argmax
        /// The first position that holds the end token.
        case firstEndToken
    }

    public struct TextConfiguration: Sendable, Hashable {
        public var vocabularySize: Int
        public var width: Int
        public var intermediateWidth: Int
        public var layers: Int
        public var heads: Int
        /// Tokens of the longest text, start and end token included.
        public var contextLength: Int
        public var activation: Activation
        public var layerNormEpsilon: Double
        public var padToken: Int
        public var startToken: Int
        public var endToken: Int

        public init(
            vocabularySize: Int = 49408, width: Int = 512, intermediateWidth: Int = 2048, layers: Int = 12,
            heads: Int = 8, contextLength: Int = 77, activation: Activation = .quickGELU,
            layerNormEpsilon: Double = 1e-5, padToken: Int = 1, startToken: Int = 49406, endToken: Int = 49407
        ) {
            self.vocabularySize = vocabularySize
            self.width = width
            self.intermediateWidth = intermediateWidth
            self.layers = layers
            self.heads = heads
            self.contextLength = contextLength
            self.activation = activation
            self.layerNormEpsilon = layerNormEpsilon
            self.padToken = padToken
            self.startToken = startToken
            self.endToken = endToken
        }

        /// The rule that transformers follows: an end token of 2 marks the first published configurations, whose
        /// end token is wrong and whose models pool at the largest id.
        public var endTokenPooling: EndTokenPooling { endToken == 2 ? .argmax : .firstEndToken }
    }

    public struct VisionConfiguration: Sendable, Hashable {
        public var width: Int
        public var intermediateWidth: Int
        public var layers: Int
        public var heads: Int
        /// Pixels of the picture's side.
        public var imageSize: Int
        /// Pixels of a patch's side.
        public var patchSize: Int
        public var channels: Int
        public var activation: Activation
        public var layerNormEpsilon: Double

        public init(
            width: Int = 768, intermediateWidth: Int = 3072, layers: Int = 12, heads: Int = 12, imageSize: Int = 224,
            patchSize: Int = 32, channels: Int = 3, activation: Activation = .quickGELU,
            layerNormEpsilon: Double = 1e-5
        ) {
            self.width = width
            self.intermediateWidth = intermediateWidth
            self.layers = layers
            self.heads = heads
            self.imageSize = imageSize
            self.patchSize = patchSize
            self.channels = channels
            self.activation = activation
            self.layerNormEpsilon = layerNormEpsilon
        }

        /// Patches of a picture, without the class token.
        public var patchCount: Int { (imageSize / patchSize) * (imageSize / patchSize) }
    }

    public var text: TextConfiguration
    public var vision: VisionConfiguration
    /// Width of the space that both towers project into.
    public var projectionWidth: Int
    /// Logarithm of the first factor of the cosines.
    public var initialLogitScale: Double

    /// The configuration of ViT-B/32, but for what is given. Call ``validate(path:)`` on values that a user chose.
    public init(
        text: TextConfiguration = .init(), vision: VisionConfiguration = .init(), projectionWidth: Int = 512,
        initialLogitScale: Double = 2.6592
    ) {
        self.text = text
        self.vision = vision
        self.projectionWidth = projectionWidth
        self.initialLogitScale = initialLogitScale
    }

    /// Throws `.invalidConfiguration` for values that no model can have, naming the member as `config.json` does.
    public func validate(path: String) throws(ConcordError) {
        func check(_ isRight: Bool, _ problem: @autoclosure () -> String) throws(ConcordError) {
            guard isRight else { throw ConcordError(.invalidConfiguration, "\(path) is impossible: \(problem())") }
        }
        func positive(_ values: KeyValuePairs<String, Int>) throws(ConcordError) {
            for (name, value) in values {
                try check(
                    (1...Self.largestSize).contains(value), "`\(name)` is \(value), not within 1...\(Self.largestSize)")
            }
        }
        try positive([
            "text_config.vocab_size": text.vocabularySize, "text_config.hidden_size": text.width,
            "text_config.intermediate_size": text.intermediateWidth, "text_config.num_hidden_layers": text.layers,
            "text_config.num_attention_heads": text.heads, "text_config.max_position_embeddings": text.contextLength,
            "vision_config.hidden_size": vision.width, "vision_config.intermediate_size": vision.intermediateWidth,
            "vision_config.num_hidden_layers": vision.layers, "vision_config.num_attention_heads": vision.heads,
            "vision_config.image_size": vision.imageSize, "vision_config.patch_size": vision.patchSize,
            "vision_config.num_channels": vision.channels, "projection_dim": projectionWidth,
        ])
        for (name, layers) in [("text", text.layers), ("vision", vision.layers)] {
            try check(
                layers <= Self.mostLayers, "`\(name)_config.num_hidden_layers` is \(layers), above \(Self.mostLayers)")
        }
        for (name, width, heads) in [("text", text.width, text.heads), ("vision", vision.width, vision.heads)] {
            try check(
                width.isMultiple(of: heads),
                "`\(name)_config.hidden_size` \(width) is not a multiple of its \(heads) attention heads")
        }
        try check(
            vision.imageSize.isMultiple(of: vision.patchSize),
            "`vision_config.image_size` \(vision.imageSize) is not a multiple of the patch size \(vision.patchSize)")
        try check(text.contextLength >= 2, "`text_config.max_position_embeddings` leaves no room for start and end")
        for (name, token) in [
            ("pad_token_id", text.padToken), ("bos_token_id", text.startToken), ("eos_token_id", text.endToken),
        ] {
            try check(
                (0..<text.vocabularySize).contains(token),
                "`text_config.\(name)` is \(token), outside the vocabulary of \(text.vocabularySize)")
        }
        for (name, epsilon) in [("text", text.layerNormEpsilon), ("vision", vision.layerNormEpsilon)] {
            try check(
                epsilon >= 0 && epsilon < 1, "`\(name)_config.layer_norm_eps` is \(epsilon), not within 0..<1")
        }
        try check(initialLogitScale.isFinite, "`logit_scale_init_value` is \(initialLogitScale)")
    }

    /// Above every real model, and low enough that no product of two sizes overflows.
    private static let largestSize = 1 << 24
    private static let mostLayers = 1024
}
