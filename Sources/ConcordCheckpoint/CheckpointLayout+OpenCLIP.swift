extension CheckpointLayout {
    /// The layout in which open_clip keeps a model of this configuration.
    ///
    /// Follows `model.py`, `transformer.py`, `hf_model.py` and `timm_model.py` of open_clip 3.3 and
    /// `models/vision_transformer.py` of timm 1.0. With a pooling by attention the vision tower is timm's; a BERT tower
    /// is transformers'.
    ///
    /// - Parameter hasCustomText: whether the text tower's names begin with `text.`, as `custom_text` in the
    ///   configuration says; nil takes what open_clip's own configurations have for such a model. BERT's always do.
    public static func openCLIP(
        _ configuration: DualEncoderConfiguration, hasCustomText: Bool? = nil
    ) -> CheckpointLayout {
        let isTimm = configuration.vision.pooling == .attention
        let text: [NameRule]
        switch configuration.text {
        case .transformer(let tower):
            text = textTransformer(
                hasCustomText ?? isTimm ? "text." : "", hasBias: tower.projection == .linearWithBias)
        case .bert:
            text = [
                NameRule("text_projection.*", "text.proj.*"),
                NameRule("text_model.*", "text.transformer.*"),
            ]
        }
        return CheckpointLayout(.openCLIP, rules: (isTimm ? timmVision : vision) + text)
    }

    /// Blocks around torch's `nn.MultiheadAttention`, which stacks q, k and v.
    static func residualBlocks(_ model: String, _ file: String, own: String = "self_attn") -> [NameRule] {
        blocks(
            model, file, attention: ("attn.in_proj_", "attn.out_proj"), norms: "ln_",
            perceptron: ("mlp.c_fc", "mlp.c_proj"), scales: "ls_", own: own)
    }

    static let vision: [NameRule] =
        residualBlocks("vision_model.encoder.layers", "visual.transformer.resblocks") + [
            NameRule("vision_model.embeddings.class_embedding", "visual.class_embedding"),
            NameRule("vision_model.embeddings.patch_embedding.*", "visual.conv1.*"),
            NameRule("vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"),
            NameRule("vision_model.pre_layrnorm.*", "visual.ln_pre.*"),
            NameRule("vision_model.post_layernorm.*", "visual.ln_post.*"),
            NameRule("visual_projection.weight", "visual.proj", isTransposed: true),
        ]

    private static let timmVision: [NameRule] = {
        let head = "vision_model.head.", pooling = "visual.trunk.attn_pool."
        return blocks(
            "vision_model.encoder.layers", "visual.trunk.blocks", attention: ("attn.qkv.", "attn.proj"), norms: "norm",
            perceptron: ("mlp.fc1", "mlp.fc2"), scales: "ls")
            + [
                NameRule("vision_model.embeddings.patch_embedding.*", "visual.trunk.patch_embed.proj.*"),
                NameRule(
                    "vision_model.embeddings.position_embedding.weight", "visual.trunk.pos_embed", leadingAxes: 1),
                NameRule("vision_model.post_layernorm.*", "visual.trunk.norm.*"),
                NameRule(head + "probe", pooling + "latent"),
                NameRule(head + "attention.q_proj.*", pooling + "q.*"),
                NameRule(head + "attention.k_proj.*", pooling + "kv.*", part: 0, of: 2),
                NameRule(head + "attention.v_proj.*", pooling + "kv.*", part: 1, of: 2),
                NameRule(head + "attention.out_proj.*", pooling + "proj.*"),
                NameRule(head + "layernorm.*", pooling + "norm.*"),
                NameRule(head + "mlp.*", pooling + "mlp.*"),
                NameRule("visual_projection.weight", "visual.head.proj.weight"),
            ]
    }()

    static func textTransformer(_ prefix: String, hasBias: Bool) -> [NameRule] {
        // A bare matrix multiplies from the right; with a bias it is an nn.Linear.
        let projection =
            hasBias
            ? NameRule("text_projection.*", prefix + "text_projection.*")
            : NameRule("text_projection.weight", prefix + "text_projection", isTransposed: true)
        return residualBlocks("text_model.encoder.layers", prefix + "transformer.resblocks") + [
            projection,
            NameRule("text_model.embeddings.token_embedding.weight", prefix + "token_embedding.weight"),
            NameRule("text_model.embeddings.position_embedding.weight", prefix + "positional_embedding"),
            NameRule("text_model.final_layer_norm.*", prefix + "ln_final.*"),
        ]
    }
}

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
