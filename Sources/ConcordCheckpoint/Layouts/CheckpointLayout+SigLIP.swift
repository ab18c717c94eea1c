extension CheckpointLayout {
    /// transformers' `SiglipModel`: the text projection is the text model's head, the pooling's q, k and v are one.
    ///
    /// Follows `models/siglip/modeling_siglip.py` of transformers 5.23.
    public static let huggingFaceSigLIP: CheckpointLayout = {
        let attention = "vision_model.head.attention."
        // torch's nn.MultiheadAttention stacks the three.
        let joined = ["q_proj", "k_proj", "v_proj"].enumerated().map { part, name in
            NameRule(attention + name + ".*", attention + "in_proj_*", part: part, of: 3)
        }
        return CheckpointLayout(
            .huggingFace,
            rules: joined + [
                NameRule("text_projection.*", "text_model.head.*"),
                // Vectors of one number there, bare numbers here.
                NameRule("logit_*", "logit_*", leadingAxes: 1),
            ])
    }()

    /// The layout in which transformers keeps a model of this configuration.
    public static func huggingFace(_ configuration: DualEncoderConfiguration) -> CheckpointLayout {
        configuration.vision.pooling == .attention ? huggingFaceSigLIP : huggingFace
    }
}
