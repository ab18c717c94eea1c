extension CheckpointLayout {
    /// The layout in which open_clip keeps a model of this configuration.
    ///
    /// Follows `model.py`, `transformer.py`, `hf_model.py` and `timm_model.py` of open_clip 3.3 and
    /// `models/vision_transformer.py` of timm 1.0. With a pooling by attention the vision tower is timm's; a BERT tower
    /// is transformers'.
    ///
    /// - Parameter hasCustomText: whether the text tower's names begin with `text.`, as `custom_text` in the
    ///   configuration says; nil takes what open_clip's own configurations have for such a model. BERT's always do.
    package static func openCLIP(
        _ configuration: DualEncoderConfiguration, hasCustomText: Bool? = nil
    ) -> CheckpointLayout {
        let isTimm = configuration.vision.pooling == .attention
        let text: [KeyRule]
        switch configuration.text {
        case .transformer(let tower):
            text = textTransformer(
                hasCustomText ?? isTimm ? "text." : "", hasBias: tower.projection == .linearWithBias)
        case .bert:
            text = [
                KeyRule("text_projection.*", "text.proj.*"),
                KeyRule("text_model.*", "text.transformer.*"),
            ]
        }
        return CheckpointLayout(.openCLIP, rules: (isTimm ? timmVision : vision) + text)
    }

    /// Blocks around torch's `nn.MultiheadAttention`, which stacks q, k and v.
    static func residualBlocks(_ model: String, _ file: String, own: String = "self_attn") -> [KeyRule] {
        blocks(
            model, file, attention: ("attn.in_proj_", "attn.out_proj"), norms: "ln_",
            perceptron: ("mlp.c_fc", "mlp.c_proj"), scales: "ls_", own: own)
    }

    static let vision: [KeyRule] =
        residualBlocks("vision_model.encoder.layers", "visual.transformer.resblocks") + [
            KeyRule("vision_model.embeddings.class_embedding", "visual.class_embedding"),
            KeyRule("vision_model.embeddings.patch_embedding.*", "visual.conv1.*"),
            KeyRule("vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"),
            KeyRule("vision_model.pre_layrnorm.*", "visual.ln_pre.*"),
            KeyRule("vision_model.post_layernorm.*", "visual.ln_post.*"),
            KeyRule("visual_projection.weight", "visual.proj", isTransposed: true),
        ]

    private static let timmVision: [KeyRule] = {
        let head = "vision_model.head.", pooling = "visual.trunk.attn_pool."
        return blocks(
            "vision_model.encoder.layers", "visual.trunk.blocks", attention: ("attn.qkv.", "attn.proj"), norms: "norm",
            perceptron: ("mlp.fc1", "mlp.fc2"), scales: "ls")
            + [
                KeyRule("vision_model.embeddings.patch_embedding.*", "visual.trunk.patch_embed.proj.*"),
                KeyRule(
                    "vision_model.embeddings.position_embedding.weight", "visual.trunk.pos_embed", leadingAxes: 1),
                KeyRule("vision_model.post_layernorm.*", "visual.trunk.norm.*"),
                KeyRule(head + "probe", pooling + "latent"),
                KeyRule(head + "attention.q_proj.*", pooling + "q.*"),
                KeyRule(head + "attention.k_proj.*", pooling + "kv.*", part: 0, of: 2),
                KeyRule(head + "attention.v_proj.*", pooling + "kv.*", part: 1, of: 2),
                KeyRule(head + "attention.out_proj.*", pooling + "proj.*"),
                KeyRule(head + "layernorm.*", pooling + "norm.*"),
                KeyRule(head + "mlp.*", pooling + "mlp.*"),
                KeyRule("visual_projection.weight", "visual.head.proj.weight"),
            ]
    }()

    static func textTransformer(_ prefix: String, hasBias: Bool) -> [KeyRule] {
        // A bare matrix multiplies from the right; with a bias it is an nn.Linear.
        let projection =
            hasBias
            ? KeyRule("text_projection.*", prefix + "text_projection.*")
            : KeyRule("text_projection.weight", prefix + "text_projection", isTransposed: true)
        return residualBlocks("text_model.encoder.layers", prefix + "transformer.resblocks") + [
            projection,
            KeyRule("text_model.embeddings.token_embedding.weight", prefix + "token_embedding.weight"),
            KeyRule("text_model.embeddings.position_embedding.weight", prefix + "positional_embedding"),
            KeyRule("text_model.final_layer_norm.*", prefix + "ln_final.*"),
        ]
    }
}

extension CheckpointLayout {
    /// The layout in which open_clip keeps a CoCa of this configuration.
    ///
    /// Follows `coca_model.py` and `transformer.py` of open_clip 3.3. Its separate poolers are not written by anything
    /// that runs, so only the `joint` layout has names there.
    package static func openCLIP(_ configuration: CoCaConfiguration) -> CheckpointLayout {
        let text = textTransformer("text.", hasBias: configuration.text.projection == .linearWithBias)
        return CheckpointLayout(
            .openCLIP, rules: pooler(configuration.vision) + vision + text + captioning)
    }

    private static func pooler(_ vision: VisionTransformerConfiguration) -> [KeyRule] {
        let model = "vision_model.attention_pool.", file = "visual.attn_pool."
        let parts = ["q_proj", "k_proj", "v_proj"].enumerated().flatMap { part, name -> [KeyRule] in
            let bias = KeyRule(model + "attention.\(name).bias", file + "attn.in_proj_bias", part: part, of: 3)
            // torch's nn.MultiheadAttention stacks the three matrices where they have one shape.
            return [
                bias,
                vision.queryPooling?.width == vision.width
                    ? KeyRule(model + "attention.\(name).weight", file + "attn.in_proj_weight", part: part, of: 3)
                    : KeyRule(model + "attention.\(name).weight", file + "attn.\(name)_weight"),
            ]
        }
        return parts + [
            KeyRule(model + "query", file + "query"),
            // Never written, but looked for.
            KeyRule("vision_model.contrastive_pool.query", "visual.attn_pool_contrastive.query"),
            KeyRule(model + "attention.out_proj.*", file + "attn.out_proj.*"),
            KeyRule(model + "query_norm.*", file + "ln_q.*"),
            KeyRule(model + "token_norm.*", file + "ln_k.*"),
        ]
    }

    private static let captioning: [KeyRule] =
        [KeyRule("text_decoder.cross_layers.*.context_norm.*", "text_decoder.cross_attn.*.ln_1_kv.*")]
        + residualBlocks("text_decoder.layers", "text_decoder.resblocks")
        + residualBlocks("text_decoder.cross_layers", "text_decoder.cross_attn", own: "cross_attn") + [
            KeyRule("text_model.embeddings.class_embedding", "text.cls_emb"),
            KeyRule("text_decoder.final_layer_norm.*", "text_decoder.ln_final.*"),
            KeyRule("language_head.weight", "text_decoder.text_projection", isTransposed: true),
        ]
}
