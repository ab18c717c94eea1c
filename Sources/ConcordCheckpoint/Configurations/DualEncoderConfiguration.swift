import ConcordCore

/// The architecture of a dual encoder: a vision tower, a text tower, and the space in which they are compared.
///
/// CLIP, SigLIP and their open_clip variants are dual encoders, and so is any vision tower aligned with a sentence
/// encoder. Differences between checkpoints are data here, whichever file format they were read from.
public struct DualEncoderConfiguration: Sendable, Hashable {
    public var text: TextTowerConfiguration
    public var vision: VisionTransformerConfiguration
    /// Width of the space that both towers project into.
    public var projectionWidth: Int
    /// Logarithm of the initial logit scale.
    public var initialLogitScale: Double
    /// Initial bias of the logits (SigLIP); nil for none.
    public var initialLogitBias: Double?

    /// ln(1 / 0.07): the logarithm of CLIP's initial logit scale, as in OpenAI's code and open_clip.
    public static let clipLogitScale = log(1 / 0.07)
    /// The default of transformers, which rounds it.
    public static let transformersLogitScale = 2.6592

    /// The configuration of ViT-B/32, except for the given values. Call ``validate(path:)`` on values that a user
    /// chose.
    public init(
        text: TextTowerConfiguration = .transformer(.init()), vision: VisionTransformerConfiguration = .init(),
        projectionWidth: Int = 512, initialLogitScale: Double = DualEncoderConfiguration.transformersLogitScale,
        initialLogitBias: Double? = nil
    ) {
        self.text = text
        self.vision = vision
        self.projectionWidth = projectionWidth
        self.initialLogitScale = initialLogitScale
        self.initialLogitBias = initialLogitBias
    }

    /// Checks for impossible values.
    ///
    /// - Throws: `.invalidConfiguration`, naming the member as in Hugging Face's `config.json`.
    package func validate(path: String) throws(ConcordError) {
        let check = ConfigurationCheck(path: path)
        try check.sizes(["projection_dim": projectionWidth])
        try check.validate(text, prefix: "text_config.")
        try check.validate(vision, prefix: "vision_config.")
        try check.require(vision.queryPooling == nil, "only CoCa's images are pooled by queries")
        if case .transformer(let text) = text {
            try check.require(text.classTokenMask == nil, "only CoCa's texts have a class token")
        }
        try check.require(initialLogitScale.isFinite, "`logit_scale_init_value` is \(initialLogitScale)")
        if vision.pooling != .none, !vision.hasProjection {
            try check.require(
                vision.width == projectionWidth,
                "images get vectors of \(vision.width), without a projection to the space of \(projectionWidth)")
        }
        if !text.hasProjection {
            try check.require(
                text.width == projectionWidth,
                "texts get vectors of \(text.width), without a projection to the space of \(projectionWidth)")
        }
    }
}

/// Checks for impossible values; each error names the member as in Hugging Face's `config.json`.
struct ConfigurationCheck {
    let path: String

    /// Above every real model, and low enough that no product of two sizes overflows.
    static let largestSize = 1 << 24
    private static let mostLayers = 1024

    func require(_ isRight: Bool, _ problem: @autoclosure () -> String) throws(ConcordError) {
        guard isRight else { throw ConcordError(.invalidConfiguration, "\(path) is impossible: \(problem())") }
    }

    func sizes(_ values: KeyValuePairs<String, Int>, prefix: String = "") throws(ConcordError) {
        for (name, value) in values {
            try require(
                (1...Self.largestSize).contains(value),
                "`\(prefix)\(name)` is \(value), not within 1...\(Self.largestSize)")
        }
    }

    func validate(_ vision: VisionTransformerConfiguration, prefix: String) throws(ConcordError) {
        try sizes(
            ["image_size": vision.imageSize, "patch_size": vision.patchSize, "num_channels": vision.channels],
            prefix: prefix)
        try blocks(
            width: vision.width, intermediateWidth: vision.intermediateWidth, layers: vision.layers,
            heads: vision.heads, epsilon: vision.layerNormEpsilon, prefix: prefix)
        try require(
            vision.imageSize >= vision.patchSize,
            "`\(prefix)image_size` \(vision.imageSize) is below the patch size \(vision.patchSize)")
        if let pooling = vision.queryPooling {
            try sizes(
                [
                    "attn_pooler_queries": pooling.queries, "attn_pooler_heads": pooling.heads,
                    "attn_pooler_width": pooling.width,
                ], prefix: prefix)
            try require(
                pooling.width.isMultiple(of: pooling.heads),
                "a pooler of \(pooling.width) channels cannot have \(pooling.heads) heads")
            try require(
                pooling.tokenCount > 0,
                "`\(prefix)attn_pooler_queries` is \(pooling.queries): none is left for the decoder")
        }
        try require(
            vision.pooling != .classToken || vision.hasClassToken,
            "the vision tower pools at a class token that it does not have")
    }

    func validate(_ text: TextTowerConfiguration, prefix: String) throws(ConcordError) {
        switch text {
        case .transformer(let text): try validate(text, prefix: prefix)
        case .bert(let text): try validate(text, prefix: prefix)
        }
    }

    private func validate(_ text: TextTransformerConfiguration, prefix: String) throws(ConcordError) {
        try sizes(
            ["vocab_size": text.vocabularySize, "max_position_embeddings": text.contextLength], prefix: prefix)
        try blocks(
            width: text.width, intermediateWidth: text.intermediateWidth, layers: text.layers, heads: text.heads,
            epsilon: text.layerNormEpsilon, prefix: prefix)
        try require(
            text.contextLength >= 2, "`\(prefix)max_position_embeddings` leaves no room for start and end")
        // Ids that the model does not use are out of range in some published configurations.
        guard text.classTokenMask == nil, text.pooling == .firstEndToken else { return }
        try token("eos_token_id", text.endToken, of: text.vocabularySize, prefix: prefix)
    }

    func token(_ name: String, _ id: Int, of vocabularySize: Int, prefix: String) throws(ConcordError) {
        try require(
            (0..<vocabularySize).contains(id),
            "`\(prefix)\(name)` is \(id), outside the vocabulary of \(vocabularySize)")
    }

    func validate(_ text: BERTConfiguration, prefix: String) throws(ConcordError) {
        try sizes(
            [
                "vocab_size": text.vocabularySize, "max_position_embeddings": text.positions,
                "type_vocab_size": text.tokenTypes,
            ], prefix: prefix)
        try blocks(
            width: text.width, intermediateWidth: text.intermediateWidth, layers: text.layers, heads: text.heads,
            epsilon: text.layerNormEpsilon, prefix: prefix)
        let longest = text.positions - text.firstPosition
        try require(
            (2...max(2, longest)).contains(text.contextLength) && longest >= 2,
            "texts of \(text.contextLength) tokens do not fit its \(longest) positions")
    }

    func blocks(
        width: Int, intermediateWidth: Int, layers: Int, heads: Int, epsilon: Double, prefix: String
    ) throws(ConcordError) {
        try sizes(
            [
                "hidden_size": width, "intermediate_size": intermediateWidth, "num_hidden_layers": layers,
                "num_attention_heads": heads,
            ], prefix: prefix)
        try require(
            layers <= Self.mostLayers, "`\(prefix)num_hidden_layers` is \(layers), above \(Self.mostLayers)")
        try require(
            width.isMultiple(of: heads),
            "`\(prefix)hidden_size` \(width) is not a multiple of its \(heads) attention heads")
        try require(
            epsilon >= 0 && epsilon < 1, "`\(prefix)layer_norm_eps` is \(epsilon), not within 0..<1")
    }
}
