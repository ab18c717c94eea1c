import ConcordCore

/// The architecture of a CoCa (Yu et al. 2022): a vision tower, a text tower, and a decoder that captions.
///
/// open_clip's models and the paper's differ in how the picture is pooled and what the class token sees; both stand
/// here as data, in the towers' configurations.
public struct CoCaConfiguration: Sendable, Hashable {
    /// Has a ``TextTransformerConfiguration/classTokenMask``.
    public var text: TextTransformerConfiguration
    /// With ``VisionTransformerConfiguration/queryPooling``; without, the patches are the decoder's tokens.
    public var vision: VisionTransformerConfiguration
    public var decoder: CaptionDecoderConfiguration
    /// Width of the space in which pictures and texts are compared.
    public var projectionWidth: Int
    /// Logarithm of the first factor of the cosines.
    public var initialLogitScale: Double

    /// The configuration of open_clip's `coca_ViT-B-32`, but for what is given.
    public init(
        text: TextTransformerConfiguration? = nil, vision: VisionTransformerConfiguration? = nil,
        decoder: CaptionDecoderConfiguration = .init(), projectionWidth: Int = 512,
        initialLogitScale: Double = log(1 / 0.07)
    ) {
        if let text {
            self.text = text
        } else {
            self.text = TextTransformerConfiguration(
                contextLength: 76, activation: .gelu, padToken: 0, pooling: .argmax)
            self.text.classTokenMask = .correct
        }
        if let vision {
            self.vision = vision
        } else {
            self.vision = VisionTransformerConfiguration(activation: .gelu)
            self.vision.queryPooling = QueryPoolingConfiguration()
        }
        self.decoder = decoder
        self.projectionWidth = projectionWidth
        self.initialLogitScale = initialLogitScale
    }

    /// Throws `.invalidConfiguration` for values that no model can have, naming the member as Hugging Face does.
    public func validate(path: String) throws(ConcordError) {
        let check = ConfigurationCheck(path: path)
        try check.sizes(["projection_dim": projectionWidth])
        try check.validate(.transformer(text), prefix: "text_config.")
        try check.validate(vision, prefix: "vision_config.")
        try check.blocks(
            width: decoder.width, intermediateWidth: decoder.intermediateWidth, layers: decoder.layers,
            heads: decoder.heads, epsilon: decoder.layerNormEpsilon, prefix: "decoder_config.")
        try check.require(initialLogitScale.isFinite, "`logit_scale_init_value` is \(initialLogitScale)")
        try check.require(text.classTokenMask != nil, "the text tower of a CoCa has a class token")
        try check.require(text.isCausal, "the text tower of a CoCa is causal, for its decoder predicts the next token")
        // Its masks look for the padding, and its captions go from start to end.
        for (name, id) in [
            ("pad_token_id", text.padToken), ("bos_token_id", text.startToken), ("eos_token_id", text.endToken),
        ] {
            try check.token(name, id, of: text.vocabularySize, prefix: "text_config.")
        }
        try check.require(
            vision.pooling == .classToken || vision.pooling == .average,
            "the vision tower of a CoCa pools its class token or the average, not `\(vision.pooling.rawValue)`")
        try check.require(
            decoder.width == text.width,
            "`decoder_config.hidden_size` is \(decoder.width), but the text tower's states have \(text.width) channels")
        try check.require(
            decoder.width == vision.pooledWidth,
            "`decoder_config.hidden_size` is \(decoder.width), but a picture's tokens have \(vision.pooledWidth) "
                + "channels")
        if !vision.hasProjection {
            try check.require(
                vision.pooledWidth == projectionWidth,
                "pictures get vectors of \(vision.pooledWidth), without a projection to the space of "
                    + "\(projectionWidth)")
        }
        if text.projection == .none {
            try check.require(
                text.width == projectionWidth,
                "texts get vectors of \(text.width), without a projection to the space of \(projectionWidth)")
        }
    }
}
