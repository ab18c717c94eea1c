import ConcordCore

extension CoCaConfiguration {
    /// What `model_type` says of a CoCa; transformers has no class for one.
    static let ownModelType = "concord-coca"

    /// The `config.json` of a model folder: Concord's own form.
    public func configurationJSON() -> JSONValue {
        let members = (towers.ownJSON.members ?? []).map { member -> JSONValue.Member in
            switch member.name {
            case "model_type": .init("model_type", .string(Self.ownModelType))
            case "text_config":
                member.adding([.init("class_token_mask", .string(text.classTokenMask?.rawValue ?? ""))])
            case "vision_config": member.adding(poolingMembers)
            default: member
            }
        }
        let decoderJSON: JSONValue = [
            "hidden_size": .integer(decoder.width), "intermediate_size": .integer(decoder.intermediateWidth),
            "num_hidden_layers": .integer(decoder.layers), "num_attention_heads": .integer(decoder.heads),
            "hidden_act": .string(decoder.activation.rawValue), "layer_norm_eps": .number(decoder.layerNormEpsilon),
            "layer_scale_init_value": decoder.layerScale.map(JSONValue.number) ?? .null,
            "tie_word_embeddings": .bool(decoder.tiesLanguageHead),
        ]
        return .object(members + [.init("decoder_config", decoderJSON)])
    }

    private var poolingMembers: [JSONValue.Member] {
        guard let pooling = vision.queryPooling else { return [] }
        return [
            .init("query_pooling", .string(pooling.layout.rawValue)),
            .init("attn_pooler_queries", .integer(pooling.queries)),
            .init("attn_pooler_width", .integer(pooling.width)), .init("attn_pooler_heads", .integer(pooling.heads)),
        ]
    }

    /// Reads what ``configurationJSON()`` wrote.
    ///
    /// - Throws: `.invalidConfiguration`, naming the member.
    public init(own json: JSONValue, path: String) throws(ConcordError) {
        let fields = try JSONFields(json, path: path)
        let towers = try DualEncoderConfiguration.own(fields)
        guard case .transformer(var text) = towers.text else {
            throw fields.failure("text_config", "is a BERT's, which cannot be a CoCa's text tower")
        }
        text.classTokenMask = try fields.object("text_config").choice("class_token_mask")
        var vision = towers.vision
        let pooling = try fields.object("vision_config")
        if pooling["query_pooling"] != nil {
            vision.queryPooling = QueryPoolingConfiguration(
                queries: try pooling.integer("attn_pooler_queries"), width: try pooling.integer("attn_pooler_width"),
                heads: try pooling.integer("attn_pooler_heads", in: 1...Int.max),
                layout: try pooling.choice("query_pooling"))
        }
        let decoderFields = try fields.object("decoder_config")
        var decoder = CaptionDecoderConfiguration(
            width: try decoderFields.integer("hidden_size"),
            intermediateWidth: try decoderFields.integer("intermediate_size"),
            layers: try decoderFields.integer("num_hidden_layers"),
            heads: try decoderFields.integer("num_attention_heads"),
            activation: try decoderFields.activation("hidden_act", default: .gelu),
            layerNormEpsilon: try decoderFields.number("layer_norm_eps"))
        decoder.layerScale = try decoderFields.optionalNumber("layer_scale_init_value")
        decoder.tiesLanguageHead = try decoderFields.boolean("tie_word_embeddings")
        self.init(
            text: text, vision: vision, decoder: decoder, projectionWidth: towers.projectionWidth,
            initialLogitScale: towers.initialLogitScale)
        try validate(path: path)
    }
}

extension CoCaConfiguration {
    /// Throws `.invalidCheckpoint` for weights whose pooler or language head is not this configuration's.
    ///
    /// Both would show as missing and unexpected tensors, too, but not as what they are: two kinds of model.
    func check(_ checkpoint: CheckpointReader, _ layout: CheckpointLayout) throws(ConcordError) {
        func shape(_ name: String) -> [Int]? { checkpoint[layout.place(of: name).name]?.entry.shape }
        func refuse(_ what: String, _ found: String, _ expected: String) -> ConcordError {
            ConcordError(
                .invalidCheckpoint,
                "the \(what) of \(checkpoint.path) is not that of its configuration: the weights have \(found), the "
                    + "configuration \(expected); fetch or save the model again")
        }
        func poolers(_ queries: Int?, _ isSeparate: Bool) -> String {
            guard let queries else { return "no pooler" }
            return "a pooler of \(queries) queries" + (isSeparate ? " and one of a single query" : "")
        }
        let queries = shape("vision_model.attention_pool.query")?.first
        let isSeparate = shape("vision_model.contrastive_pool.query") != nil
        let expected = vision.queryPooling
        if queries != expected?.queries || isSeparate != (expected.map { $0.layout != .joint } ?? false) {
            let own = poolers(expected?.queries, expected.map { $0.layout != .joint } ?? false)
            throw refuse("pooler", poolers(queries, isSeparate), own)
        }
        let hasHead = shape("language_head.weight") != nil
        if hasHead == decoder.tiesLanguageHead {
            func head(_ isTied: Bool) -> String {
                isTied ? "none but the table of tokens" : "a matrix of its own"
            }
            throw refuse("language head", head(!hasHead), head(decoder.tiesLanguageHead))
        }
    }
}
