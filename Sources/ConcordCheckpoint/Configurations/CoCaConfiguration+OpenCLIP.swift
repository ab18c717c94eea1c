import ConcordCore

extension CoCaConfiguration {
    /// Reads the `model_cfg` of an `open_clip_config.json` that has a `multimodal_cfg`, or one of open_clip's own
    /// `model_configs` such as `coca_ViT-B-32`.
    ///
    /// Follows `coca_model.py` and `transformer.py` of open_clip 3.3. Without `correct_cls_mask`, which later versions
    /// know, the mask is the legacy one. Of `multimodal_cfg` open_clip reads `context_length`, `width`, `heads`,
    /// `layers` and `ls_init_value`; a member that it takes and does not follow is refused unless it says what
    /// open_clip does.
    ///
    /// - Throws: `.invalidConfiguration`, naming the member.
    package init(openCLIP json: JSONValue, path: String) throws(ConcordError) {
        let fields = try JSONFields(json, path: path)
        try fields.refuseUnknown([
            "embed_dim", "vision_cfg", "text_cfg", "multimodal_cfg", "quick_gelu", "custom_text", "init_logit_scale",
            "init_logit_bias",
            // Harmless: the file shows the shape of the scale, the others are a matter of running.
            "nonscalar_logit_scale", "cast_dtype", "output_dict",
        ])
        for name in ["vision_cfg", "text_cfg", "multimodal_cfg"] where fields[name] == nil {
            throw fields.failure(name, "is missing")
        }
        try fields.refuse("init_logit_bias", "the contrastive loss of a CoCa has no bias")
        let isQuick = try fields.boolean("quick_gelu", default: false), width = try fields.integer("embed_dim")
        let textFields = try fields.object("text_cfg"), visionFields = try fields.object("vision_cfg")
        try textFields.refuse("hf_model_name", "a CoCa with a text tower of transformers is not supported")
        try visionFields.refuse("timm_model_name", "a CoCa with an image tower of timm is not supported")
        guard try textFields.boolean("embed_cls", default: false) else {
            throw textFields.failure("embed_cls", "is not true: the text tower of a CoCa has a class token")
        }
        var text = try TextTransformerConfiguration(openCLIP: textFields, isQuick: isQuick)
        text.classTokenMask =
            try textFields.boolean("correct_cls_mask", default: false) ? .correct : .legacy
        var vision = try VisionTransformerConfiguration(openCLIP: visionFields, isQuick: isQuick)
        vision.queryPooling = try Self.queryPooling(visionFields, width: width)
        if vision.queryPooling != nil { vision.normalizesAfterPooling = false }
        self.init(
            text: text, vision: vision,
            decoder: try CaptionDecoderConfiguration(
                openCLIP: fields.object("multimodal_cfg"), isQuick: isQuick, text: text),
            projectionWidth: width,
            initialLogitScale: try fields.number(
                "init_logit_scale", default: DualEncoderConfiguration.clipLogitScale))
        try validate(path: path)
    }

    private static func queryPooling(
        _ fields: JSONFields, width: Int
    ) throws(ConcordError) -> QueryPoolingConfiguration? {
        if let layout = fields["attentional_pool"]?.string {
            throw fields.failure(
                "attentional_pool",
                "is `\(layout)`, with which open_clip gives vectors of a wrong shape; only true and false are supported"
            )
        }
        guard try fields.boolean("attentional_pool", default: false) else { return nil }
        return QueryPoolingConfiguration(
            queries: try fields.integer("attn_pooler_queries", default: 256), width: width,
            heads: try fields.integer("attn_pooler_heads", default: 8))
    }

    /// The `open_clip_config.json` that open_clip 3.3 reads back as the same model.
    ///
    /// With the correct mask it has `correct_cls_mask`, which later versions know and 3.3 refuses: rightly so, for it
    /// would compute something else.
    ///
    /// - Parameters:
    ///   - preprocessing: the `preprocess_cfg`.
    ///   - tokenizer: members of `text_cfg` for the tokenizer.
    /// - Throws: `.invalidConfiguration` for a model that open_clip has no class for, saying what stands in the way.
    package func openCLIPJSON(
        preprocessing: JSONValue, tokenizer: [JSONValue.Member] = []
    ) throws(ConcordError) -> JSONValue {
        func refuse(_ isObstacle: Bool, _ obstacle: @autoclosure () -> String) throws(ConcordError) {
            guard isObstacle else { return }
            throw ConcordError(.invalidConfiguration, "open_clip has no class for this model: \(obstacle())")
        }
        try refuse(decoder.tiesLanguageHead, "its language head is the table of tokens")
        try refuse(decoder.intermediateWidth != 4 * decoder.width, "its decoder's perceptrons are not 4 times as wide")
        try refuse(decoder.layerNormEpsilon != 1e-5, "its decoder's norms have an epsilon of their own")
        try refuse(
            decoder.activation != (text.activation == .quickGELU ? .quickGELU : .gelu),
            "its decoder has another activation than its text tower")
        var extra: [JSONValue.Member] = []
        if let pooling = vision.queryPooling {
            try refuse(pooling.layout != .joint, "its vision tower has two poolers")
            try refuse(pooling.width != projectionWidth, "its pooler has another width than the embeddings")
            extra = [
                .init("attentional_pool", true), .init("attn_pooler_queries", .integer(pooling.queries)),
                .init("attn_pooler_heads", .integer(pooling.heads)),
            ]
        }
        let document = try towers.openCLIPJSON(preprocessing: preprocessing, tokenizer: tokenizer)
        let model = (document["model_cfg"]?.members ?? []).map { member -> JSONValue.Member in
            switch member.name {
            case "vision_cfg": member.adding(extra + [.init("output_tokens", true)])
            case "text_cfg":
                member.adding(
                    [.init("embed_cls", true), .init("output_tokens", true)]
                        + (text.classTokenMask == .correct ? [.init("correct_cls_mask", true)] : []))
            default: member
            }
        }
        let added: [JSONValue.Member] = [
            .init("multimodal_cfg", .object(decoderMembers)), .init("custom_text", true),
        ]
        return ["model_cfg": .object(model + added), "preprocess_cfg": preprocessing]
    }

    /// The two towers alone, without what only CoCa's have.
    package var towers: DualEncoderConfiguration {
        var text = text, vision = vision
        text.classTokenMask = nil
        vision.queryPooling = nil
        return DualEncoderConfiguration(
            text: .transformer(text), vision: vision, projectionWidth: projectionWidth,
            initialLogitScale: initialLogitScale)
    }

    private var decoderMembers: [JSONValue.Member] {
        [
            .init("context_length", .integer(text.contextLength)), .init("vocab_size", .integer(text.vocabularySize)),
            .init("width", .integer(decoder.width)), .init("heads", .integer(decoder.heads)),
            .init("layers", .integer(decoder.layers)),
        ] + (decoder.layerScale.map { [.init("ls_init_value", .number($0))] } ?? [])
    }
}

extension JSONValue.Member {
    /// An object with more members.
    func adding(_ members: [JSONValue.Member]) -> JSONValue.Member {
        .init(name, .object((value.members ?? []) + members))
    }
}

extension CaptionDecoderConfiguration {
    fileprivate init(
        openCLIP fields: JSONFields, isQuick: Bool, text: TextTransformerConfiguration
    ) throws(ConcordError) {
        try fields.refuseUnknown([
            "context_length", "vocab_size", "width", "heads", "layers", "ls_init_value", "mlp_ratio", "act_kwargs",
            "norm_kwargs",
            // open_clip takes these and reads none of them: heads are as wide as they come out, the vocabulary is the
            // text tower's, and the pooler is the vision tower's.
            "dim_head", "n_queries", "attn_pooler_heads",
        ])
        try fields.refuse(
            "mlp_ratio", allowing: [.integer(4), .number(4)], "open_clip makes decoders with a ratio of 4")
        for name in ["act_kwargs", "norm_kwargs"] {
            try fields.refuse(name, allowing: [.object([])], "open_clip makes decoders without it")
        }
        let width = try fields.integer("width", default: 512)
        let vocabulary = try fields.integer("vocab_size", default: text.vocabularySize)
        guard vocabulary == text.vocabularySize else {
            throw fields.failure(
                "vocab_size", "is \(vocabulary), the text tower's \(text.vocabularySize); open_clip takes the latter")
        }
        let context = try fields.integer("context_length", default: 77)
        guard context >= text.contextLength else {
            throw fields.failure(
                "context_length", "is \(context), below the \(text.contextLength) tokens that the text tower reads")
        }
        self.init(
            width: width, intermediateWidth: 4 * width, layers: try fields.integer("layers", default: 12),
            heads: try fields.integer("heads", default: 8), activation: isQuick ? .quickGELU : .gelu)
        layerScale = try fields.optionalNumber("ls_init_value")
    }
}
