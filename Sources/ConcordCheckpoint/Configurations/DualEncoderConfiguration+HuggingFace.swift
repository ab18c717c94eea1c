import ConcordCore

extension DualEncoderConfiguration {
    /// Reads the contents of a `config.json` of transformers' `CLIPModel`.
    ///
    /// - Parameters:
    ///   - json: the document.
    ///   - path: what to call it in an error.
    /// - Throws: `.invalidConfiguration` for another kind of model, a member of the wrong type, and values that no
    ///   model can have.
    public init(huggingFace json: JSONValue, path: String) throws(ConcordError) {
        let fields = try JSONFields(json, path: path)
        let kind = try fields.string("model_type", default: "clip")
        guard kind == "clip" else {
            throw fields.failure("model_type", "is `\(kind)`; only `clip` models can be read")
        }
        self.init(
            text: .transformer(try .init(Self.tower("text_config", fields))),
            vision: try .init(Self.tower("vision_config", fields)),
            projectionWidth: try fields.integer("projection_dim", default: 512),
            initialLogitScale: try fields.number("logit_scale_init_value", default: 2.6592))
        try validate(path: path)
    }

    /// Reads `config.json` of a model folder. Throws as ``init(huggingFace:path:)``, or `.fileSystem`.
    public init(folder: String) throws(ConcordError) {
        let path = folder + "/config.json"
        try self.init(huggingFace: JSONValue(parsing: Files.read(path, limit: 1 << 24), source: path), path: path)
    }

    /// The members of one tower. Where the older `text_config_dict` is there too, transformers lets it win whole.
    private static func tower(_ name: String, _ fields: JSONFields) throws(ConcordError) -> JSONFields {
        if let older = fields[name + "_dict"] {
            return try JSONFields(older, path: fields.path, prefix: name + "_dict.")
        }
        return try JSONFields(fields[name] ?? .object([]), path: fields.path, prefix: name + ".")
    }

    /// The `config.json` that transformers' `CLIPModel.from_pretrained` reads back as the same model.
    ///
    /// - Throws: `.invalidConfiguration` for a model that transformers has no class for.
    public func huggingFaceJSON() throws(ConcordError) -> JSONValue {
        guard case .transformer(let text) = text else {
            throw ConcordError(.invalidConfiguration, "transformers has no class for this pair of towers")
        }
        return [
            "architectures": ["CLIPModel"],
            "model_type": "clip",
            "projection_dim": .integer(projectionWidth),
            "logit_scale_init_value": .number(initialLogitScale),
            "initializer_factor": 1.0,
            "dtype": "float32",
            "text_config": [
                "model_type": "clip_text_model",
                "vocab_size": .integer(text.vocabularySize),
                "hidden_size": .integer(text.width),
                "intermediate_size": .integer(text.intermediateWidth),
                "projection_dim": .integer(projectionWidth),
                "num_hidden_layers": .integer(text.layers),
                "num_attention_heads": .integer(text.heads),
                "max_position_embeddings": .integer(text.contextLength),
                "hidden_act": .string(text.activation.rawValue),
                "layer_norm_eps": .number(text.layerNormEpsilon),
                "attention_dropout": 0.0,
                "pad_token_id": .integer(text.padToken),
                "bos_token_id": .integer(text.startToken),
                "eos_token_id": .integer(text.endToken),
            ],
            "vision_config": [
                "model_type": "clip_vision_model",
                "hidden_size": .integer(vision.width),
                "intermediate_size": .integer(vision.intermediateWidth),
                "projection_dim": .integer(projectionWidth),
                "num_hidden_layers": .integer(vision.layers),
                "num_attention_heads": .integer(vision.heads),
                "num_channels": .integer(vision.channels),
                "image_size": .integer(vision.imageSize),
                "patch_size": .integer(vision.patchSize),
                "hidden_act": .string(vision.activation.rawValue),
                "layer_norm_eps": .number(vision.layerNormEpsilon),
                "attention_dropout": 0.0,
            ],
        ]
    }
}

extension TextTransformerConfiguration {
    fileprivate init(_ fields: JSONFields) throws(ConcordError) {
        self.init(
            vocabularySize: try fields.integer("vocab_size", default: 49408),
            width: try fields.integer("hidden_size", default: 512),
            intermediateWidth: try fields.integer("intermediate_size", default: 2048),
            layers: try fields.integer("num_hidden_layers", default: 12),
            heads: try fields.integer("num_attention_heads", default: 8),
            contextLength: try fields.integer("max_position_embeddings", default: 77),
            activation: try fields.choice("hidden_act", default: .quickGELU),
            layerNormEpsilon: try fields.number("layer_norm_eps", default: 1e-5),
            padToken: try fields.integer("pad_token_id", default: 1),
            startToken: try fields.integer("bos_token_id", default: 49406),
            endToken: try fields.integer("eos_token_id", default: 49407))
        // An end token of 2 marks the first published configurations, whose end token is wrong and whose models pool at
        // the largest id; transformers follows the same rule.
        pooling = endToken == 2 ? .argmax : .firstEndToken
    }
}

extension VisionTransformerConfiguration {
    fileprivate init(_ fields: JSONFields) throws(ConcordError) {
        self.init(
            width: try fields.integer("hidden_size", default: 768),
            intermediateWidth: try fields.integer("intermediate_size", default: 3072),
            layers: try fields.integer("num_hidden_layers", default: 12),
            heads: try fields.integer("num_attention_heads", default: 12),
            imageSize: try fields.integer("image_size", default: 224),
            patchSize: try fields.integer("patch_size", default: 32),
            channels: try fields.integer("num_channels", default: 3),
            activation: try fields.choice("hidden_act", default: .quickGELU),
            layerNormEpsilon: try fields.number("layer_norm_eps", default: 1e-5))
    }
}
