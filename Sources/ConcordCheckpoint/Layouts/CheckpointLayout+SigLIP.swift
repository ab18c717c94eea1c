extension CheckpointLayout {
    /// `models/siglip/modeling_siglip.py` of transformers 5.23.
    static func placeInSigLIP(_ parameter: String) -> TensorPlace {
        let projection = "text_projection."
        if parameter.hasPrefix(projection) {
            return TensorPlace("text_model.head." + parameter.dropFirst(projection.count))
        }
        // Vectors of one number there, bare numbers here.
        if parameter == "logit_scale" || parameter == "logit_bias" { return TensorPlace(parameter, leadingAxes: 1) }
        let attention = "vision_model.head.attention."
        for (part, name) in ["q_proj.", "k_proj.", "v_proj."].enumerated()
        where parameter.hasPrefix(attention + name) {
            // torch's nn.MultiheadAttention stacks the three.
            return TensorPlace(
                attention + "in_proj_" + parameter.dropFirst(attention.count + name.count), part: part, of: 3)
        }
        return TensorPlace(parameter)
    }
}
