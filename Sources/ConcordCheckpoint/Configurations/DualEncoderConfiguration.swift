import ConcordCore

/// The architecture of a dual encoder: a vision tower, a text tower, and the space in which they are compared.
///
/// CLIP, SigLIP and their open_clip variants are dual encoders, and so is any vision tower aligned with a sentence
/// encoder. What differs between checkpoints stands here as data, whichever file format it was read from.
public struct DualEncoderConfiguration: Sendable, Hashable {
    public var text: TextTowerConfiguration
    public var vision: VisionTransformerConfiguration
    /// Width of the space that both towers project into.
    public var projectionWidth: Int
    /// Logarithm of the first factor of the cosines.
    public var initialLogitScale: Double
    /// What is first added to the scaled cosines (SigLIP); nil adds nothing.
    public var initialLogitBias: Double?

    /// The configuration of ViT-B/32, but for what is given. Call ``validate(path:)`` on values that a user chose.
    public init(
        text: TextTowerConfiguration = .transformer(.init()), vision: VisionTransformerConfiguration = .init(),
        projectionWidth: Int = 512, initialLogitScale: Double = 2.6592, initialLogitBias: Double? = nil
    ) {
        self.text = text
        self.vision = vision
        self.projectionWidth = projectionWidth
        self.initialLogitScale = initialLogitScale
        self.initialLogitBias = initialLogitBias
    }

    /// Throws `.invalidConfiguration` for values that no model can have, naming the member as Hugging Face does.
    public func validate(path: String) throws(ConcordError) {
        let check = ConfigurationCheck(path: path)
        try check.sizes(["projection_dim": projectionWidth])
        try check.validate(text, prefix: "text_config.")
        try check.validate(vision, prefix: "vision_config.")
        try check.require(vision.queryPooling == nil, "only CoCa's pictures are pooled by queries")
        if case .transformer(let text) = text {
            try check.require(text.classTokenMask == nil, "only CoCa's texts have a class token")
        }
        try check.require(initialLogitScale.isFinite, "`logit_scale_init_value` is \(initialLogitScale)")
        if vision.pooling != .none, !vision.hasProjection {
            try check.require(
                vision.width == projectionWidth,
                "pictures get vectors of \(vision.width), without a projection to the space of \(projectionWidth)")
        }
        if !text.hasProjection {
            try check.require(
                text.width == projectionWidth,
                "texts get vectors of \(text.width), without a projection to the space of \(projectionWidth)")
        }
    }
}
