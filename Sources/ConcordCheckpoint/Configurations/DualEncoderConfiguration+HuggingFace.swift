import ConcordCore

extension DualEncoderConfiguration {
    /// The `model_type` of a dual encoder that only Concord can express; its members are transformers' and a few
    /// more.
    static let ownModelType = "concord-dual-encoder"

    /// Whether a `model_type` is that of a supported dual encoder.
    static func isModelType(_ name: String?) -> Bool {
        ["clip", "siglip", "vision-text-dual-encoder", ownModelType].contains(name)
    }

    /// Reads the contents of a `config.json`: of transformers' `CLIPModel`, `SiglipModel` and
    /// `VisionTextDualEncoderModel`, or Concord's own.
    ///
    /// A BERT tower of transformers' has its pooler, and the pooled vector is a tanh of the first token's.
    ///
    /// - Parameters:
    ///   - json: the document.
    ///   - path: its name in errors.
    /// - Throws: `.invalidConfiguration` for another kind of model, a member of the wrong type, and values that no
    ///   model can have.
    package init(huggingFace json: JSONValue, path: String) throws(ConcordError) {
        let fields = try JSONFields(json, path: path)
        switch try fields.string("model_type", default: "clip") {
        case "clip": self = try Self.clip(fields)
        case "siglip": self = try Self.sigLIP(fields)
        case "vision-text-dual-encoder": self = try Self.visionTextDualEncoder(fields)
        case Self.ownModelType: self = try Self.own(fields)
        case "siglip2":
            throw fields.failure(
                "model_type",
                "is `siglip2`, whose images keep their shape; use a checkpoint of SigLIP 2 with one image size, "
                    + "which says `siglip`")
        case let other:
            throw fields.failure(
                "model_type",
                "is `\(other)`, which is no model that can be read; known are: clip, siglip, clap, whisper, audio-spectrogram-transformer, vision-text-dual-encoder, "
                    + SingleTower.allCases.map(\.rawValue).joined(separator: ", "))
        }
        try validate(path: path)
    }

    /// Reads `config.json` of a model folder. Throws as ``init(huggingFace:path:)``, or `.fileSystem`.
    package init(folder: String) throws(ConcordError) {
        let path = folder + "/config.json"
        try self.init(huggingFace: JSONValue(contentsOf: path, nonFiniteNumbers: true), path: path)
    }

    private static func clip(_ fields: JSONFields) throws(ConcordError) -> DualEncoderConfiguration {
        /// Where the older `text_config_dict` is there too, transformers lets it win whole.
        func tower(_ name: String) throws(ConcordError) -> JSONFields {
            try fields.object(fields[name + "_dict"] == nil ? name : name + "_dict")
        }
        return DualEncoderConfiguration(
            text: .transformer(try .init(clip: tower("text_config"))), vision: try .init(clip: tower("vision_config")),
            projectionWidth: try fields.integer("projection_dim", default: 512),
            initialLogitScale: try fields.number(
                "logit_scale_init_value", default: DualEncoderConfiguration.transformersLogitScale))
    }

    /// transformers' configuration does not say where the logits start; the defaults are the paper's (Zhai et al.
    /// 2023).
    private static func sigLIP(_ fields: JSONFields) throws(ConcordError) -> DualEncoderConfiguration {
        let text = try fields.object("text_config"), vision = try fields.object("vision_config")
        let width = try text.integer("projection_size", default: text.integer("hidden_size", default: 768))
        return DualEncoderConfiguration(
            text: .transformer(try .init(sigLIP: text)), vision: try .init(sigLIP: vision), projectionWidth: width,
            initialLogitScale: try fields.number("logit_scale_init_value", default: log(10)),
            initialLogitBias: try fields.number("logit_bias_init_value", default: -10))
    }

    private static func visionTextDualEncoder(_ fields: JSONFields) throws(ConcordError) -> DualEncoderConfiguration {
        var vision = try fields.object("vision_config")
        let kind = try vision.string("model_type")
        guard kind == "clip_vision_model" || kind == "clip" else {
            throw vision.failure("model_type", "is `\(kind)`; only `clip_vision_model` is supported as a vision tower")
        }
        // transformers also takes the vision side of a whole CLIP.
        if vision["vision_config"] != nil { vision = try vision.object("vision_config") }
        var text = try BERTConfiguration(huggingFace: fields.object("text_config"))
        text.pooling = .pooler
        text.projection = .linear
        return DualEncoderConfiguration(
            text: .bert(text), vision: try .init(clip: vision),
            projectionWidth: try fields.integer("projection_dim", default: 512),
            initialLogitScale: try fields.number(
                "logit_scale_init_value", default: DualEncoderConfiguration.transformersLogitScale))
    }

    static func own(_ fields: JSONFields) throws(ConcordError) -> DualEncoderConfiguration {
        let text = try fields.object("text_config")
        let isBERT = BERTConfiguration.Family(rawValue: try text.string("model_type")) != nil
        return DualEncoderConfiguration(
            text: isBERT ? .bert(try .init(own: text)) : .transformer(try .init(own: text)),
            vision: try .init(own: fields.object("vision_config")),
            projectionWidth: try fields.integer("projection_dim"),
            initialLogitScale: try fields.number("logit_scale_init_value"),
            initialLogitBias: try fields.optionalNumber("logit_bias_init_value"))
    }
}

extension TextTransformerConfiguration {
    init(clip fields: JSONFields) throws(ConcordError) {
        let vocabularySize = try fields.integer("vocab_size", default: 49408)
        let standard = TextTransformerConfiguration()
        if fields["eos_token_id"] == nil, vocabularySize <= standard.endToken {
            throw fields.failure(
                "eos_token_id",
                "is missing, and \(standard.endToken), which transformers takes then, is outside the vocabulary of "
                    + "\(vocabularySize); write the id of the token that ends a text")
        }
        self.init(
            vocabularySize: vocabularySize, width: try fields.integer("hidden_size", default: 512),
            intermediateWidth: try fields.integer("intermediate_size", default: 2048),
            layers: try fields.integer("num_hidden_layers", default: 12),
            heads: try fields.integer("num_attention_heads", default: 8),
            contextLength: try fields.integer("max_position_embeddings", default: 77),
            activation: try fields.activation("hidden_act", default: .quickGELU),
            layerNormEpsilon: try fields.number("layer_norm_eps", default: 1e-5),
            // The model uses neither: the tokenizer knows its own.
            padToken: fields["pad_token_id"]?.int ?? standard.padToken,
            startToken: fields["bos_token_id"]?.int ?? standard.startToken,
            endToken: try fields.integer("eos_token_id", default: standard.endToken))
        // An end token of 2 marks the first published configurations, whose end token is wrong and whose models pool at
        // the largest id; transformers follows the same rule.
        if endToken == 2 {
            pooling = .argmax
            endToken = vocabularySize - 1
        }
    }

    init(sigLIP fields: JSONFields) throws(ConcordError) {
        let standard = TextTransformerConfiguration()
        self.init(
            vocabularySize: try fields.integer("vocab_size", default: 32000),
            width: try fields.integer("hidden_size", default: 768),
            intermediateWidth: try fields.integer("intermediate_size", default: 3072),
            layers: try fields.integer("num_hidden_layers", default: 12),
            heads: try fields.integer("num_attention_heads", default: 12),
            contextLength: try fields.integer("max_position_embeddings", default: 64),
            activation: try fields.activation("hidden_act", default: .tanhGELU),
            layerNormEpsilon: try fields.number("layer_norm_eps", default: 1e-6),
            // The model uses none of them.
            padToken: fields["pad_token_id"]?.int ?? standard.padToken,
            startToken: fields["bos_token_id"]?.int ?? standard.startToken,
            endToken: fields["eos_token_id"]?.int ?? standard.endToken, pooling: .last)
        isCausal = false
        projection = .linearWithBias
    }

    fileprivate init(own fields: JSONFields) throws(ConcordError) {
        try self.init(clip: fields)
        endToken = try fields.integer("eos_token_id")
        pooling = try fields.choice("pooling")
        projection = try fields.choice("projection")
        isCausal = try fields.boolean("is_causal")
        layerScale = try fields.optionalNumber("layer_scale_init_value")
    }
}

extension VisionTransformerConfiguration {
    init(clip fields: JSONFields) throws(ConcordError) {
        self.init(
            width: try fields.integer("hidden_size", default: 768),
            intermediateWidth: try fields.integer("intermediate_size", default: 3072),
            layers: try fields.integer("num_hidden_layers", default: 12),
            heads: try fields.integer("num_attention_heads", default: 12),
            imageSize: try fields.side("image_size", default: 224),
            patchSize: try fields.side("patch_size", default: 32),
            channels: try fields.integer("num_channels", default: 3),
            activation: try fields.activation("hidden_act", default: .quickGELU),
            layerNormEpsilon: try fields.number("layer_norm_eps", default: 1e-5))
    }

    init(sigLIP fields: JSONFields) throws(ConcordError) {
        guard try fields.boolean("vision_use_head", default: true) else {
            throw fields.failure("vision_use_head", "is false: such a model gives no vector for an image")
        }
        self.init(
            width: try fields.integer("hidden_size", default: 768),
            intermediateWidth: try fields.integer("intermediate_size", default: 3072),
            layers: try fields.integer("num_hidden_layers", default: 12),
            heads: try fields.integer("num_attention_heads", default: 12),
            imageSize: try fields.side("image_size", default: 224),
            patchSize: try fields.side("patch_size", default: 16),
            channels: try fields.integer("num_channels", default: 3),
            activation: try fields.activation("hidden_act", default: .tanhGELU),
            layerNormEpsilon: try fields.number("layer_norm_eps", default: 1e-6))
        becomeSigLIP()
    }

    /// The properties that all vision towers of SigLIP share.
    mutating func becomeSigLIP() {
        hasClassToken = false
        hasPatchBias = true
        hasPreNorm = false
        pooling = .attention
        hasProjection = false
    }

    fileprivate init(own fields: JSONFields) throws(ConcordError) {
        try self.init(clip: fields)
        hasClassToken = try fields.boolean("has_class_token")
        hasPatchBias = try fields.boolean("has_patch_bias")
        hasPreNorm = try fields.boolean("has_pre_norm")
        hasFixedPositions = try fields.boolean("has_fixed_positions")
        layerScale = try fields.optionalNumber("layer_scale_init_value")
        pooling = try fields.choice("pooling")
        normalizesAfterPooling = try fields.boolean("normalizes_after_pooling")
        hasProjection = try fields.boolean("has_projection")
    }
}
