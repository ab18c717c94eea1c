extension CheckpointLayout {
    /// The layout in which open_clip keeps a CoCa of this configuration.
    ///
    /// Follows `coca_model.py` and `transformer.py` of open_clip 3.3. Its separate poolers are not written by anything
    /// that runs, so only the `joint` layout has names there.
    public static func openCLIP(_ configuration: CoCaConfiguration) -> CheckpointLayout {
        let text = textTransformer("text.", hasBias: configuration.text.projection == .linearWithBias)
        return CheckpointLayout(
            .openCLIP, rules: pooler(configuration.vision) + vision + text + captioning)
    }

    private static func pooler(_ vision: VisionTransformerConfiguration) -> [NameRule] {
        let model = "vision_model.attention_pool.", file = "visual.attn_pool."
        let parts = ["q_proj", "k_proj", "v_proj"].enumerated().flatMap { part, name -> [NameRule] in
            let bias = NameRule(model + "attention.\(name).bias", file + "attn.in_proj_bias", part: part, of: 3)
            // torch's nn.MultiheadAttention stacks the three matrices where they have one shape.
            return [
                bias,
                vision.queryPooling?.width == vision.width
                    ? NameRule(model + "attention.\(name).weight", file + "attn.in_proj_weight", part: part, of: 3)
                    : NameRule(model + "attention.\(name).weight", file + "attn.\(name)_weight"),
            ]
        }
        return parts + [
            NameRule(model + "query", file + "query"),
            // Never written, but looked for.
            NameRule("vision_model.contrastive_pool.query", "visual.attn_pool_contrastive.query"),
            NameRule(model + "attention.out_proj.*", file + "attn.out_proj.*"),
            NameRule(model + "query_norm.*", file + "ln_q.*"),
            NameRule(model + "token_norm.*", file + "ln_k.*"),
        ]
    }

    private static let captioning: [NameRule] =
        [NameRule("text_decoder.cross_layers.*.context_norm.*", "text_decoder.cross_attn.*.ln_1_kv.*")]
        + residualBlocks("text_decoder.layers", "text_decoder.resblocks")
        + residualBlocks("text_decoder.cross_layers", "text_decoder.cross_attn", own: "cross_attn") + [
            NameRule("text_model.embeddings.class_embedding", "text.cls_emb"),
            NameRule("text_decoder.final_layer_norm.*", "text_decoder.ln_final.*"),
            NameRule("language_head.weight", "text_decoder.text_projection", isTransposed: true),
        ]
}
