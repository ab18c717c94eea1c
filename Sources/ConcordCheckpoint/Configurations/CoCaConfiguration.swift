import ConcordCore

/// The architecture of a CoCa (Yu et al. 2022): a vision tower, a text tower, and a decoder that captions.
///
/// open_clip's models and the paper's differ in the pooling of the image and the mask of the class token; both are data
/// in the towers' configurations.
public struct CoCaConfiguration: Sendable, Hashable {
    /// The text tower, which has a ``TextTransformerConfiguration/classTokenMask``.
    public var text: TextTransformerConfiguration
    /// The image tower. Without ``VisionTransformerConfiguration/queryPooling`` its patches are the decoder's tokens.
    public var vision: VisionTransformerConfiguration
    public var decoder: CaptionDecoderConfiguration
    /// Width of the space in which images and texts are compared.
    public var projectionWidth: Int
    /// Logarithm of the initial logit scale.
    public var initialLogitScale: Double

    /// The configuration of open_clip's `coca_ViT-B-32`, except for the given values.
    public init(
        text: TextTransformerConfiguration? = nil, vision: VisionTransformerConfiguration? = nil,
        decoder: CaptionDecoderConfiguration = .init(), projectionWidth: Int = 512,
        initialLogitScale: Double = DualEncoderConfiguration.clipLogitScale
    ) {
        if let text {
            self.text = text
        } else {
            self.text = TextTransformerConfiguration(
                contextLength: 76, activation: .gelu, padToken: 0, pooling: .argmax)
            self.text.classTokenMask = .correct
        }
        if let vision {
            self.vision = vision
        } else {
            self.vision = VisionTransformerConfiguration(activation: .gelu)
            self.vision.queryPooling = QueryPoolingConfiguration()
        }
        self.decoder = decoder
        self.projectionWidth = projectionWidth
        self.initialLogitScale = initialLogitScale
    }

    /// Checks for impossible values.
    ///
    /// - Throws: `.invalidConfiguration`, naming the member as in Hugging Face's `config.json`.
    package func validate(path: String) throws(ConcordError) {
        let check = ConfigurationCheck(path: path)
        try check.sizes(["projection_dim": projectionWidth])
        try check.validate(.transformer(text), prefix: "text_config.")
        try check.validate(vision, prefix: "vision_config.")
        try check.blocks(
            width: decoder.width, intermediateWidth: decoder.intermediateWidth, layers: decoder.layers,
            heads: decoder.heads, epsilon: decoder.layerNormEpsilon, prefix: "decoder_config.")
        try check.require(initialLogitScale.isFinite, "`logit_scale_init_value` is \(initialLogitScale)")
        try check.require(text.classTokenMask != nil, "the text tower of a CoCa has a class token")
        try check.require(text.isCausal, "the text tower of a CoCa is causal, for its decoder predicts the next token")
        // Its masks look for the padding, and its captions go from start to end.
        for (name, id) in [
            ("pad_token_id", text.padToken), ("bos_token_id", text.startToken), ("eos_token_id", text.endToken),
        ] {
            try check.token(name, id, of: text.vocabularySize, prefix: "text_config.")
        }
        try check.require(
            vision.pooling == .classToken || vision.pooling == .average,
            "the vision tower of a CoCa pools its class token or the average, not `\(vision.pooling.rawValue)`")
        try check.require(
            decoder.width == text.width,
            "`decoder_config.hidden_size` is \(decoder.width), but the text tower's states have \(text.width) channels")
        try check.require(
            decoder.width == vision.pooledWidth,
            "`decoder_config.hidden_size` is \(decoder.width), but an image's tokens have \(vision.pooledWidth) "
                + "channels")
        if !vision.hasProjection {
            try check.require(
                vision.pooledWidth == projectionWidth,
                "images get vectors of \(vision.pooledWidth), without a projection to the space of "
                    + "\(projectionWidth)")
        }
        if text.projection == .none {
            try check.require(
                text.width == projectionWidth,
                "texts get vectors of \(text.width), without a projection to the space of \(projectionWidth)")
        }
    }
}

/// The decoder of CoCa: pairs of a causal block and a block that looks at the image, then the language head.
///
/// It reads the token states of the text tower and shares its vocabulary and context length.
public struct CaptionDecoderConfiguration: Sendable, Hashable {
    package var width: Int
    package var intermediateWidth: Int
    /// Pairs of blocks.
    package var layers: Int
    package var heads: Int
    package var activation: Activation
    package var layerNormEpsilon: Double
    /// The first scale of each block's residual branches, learned per channel; nil has none.
    package var layerScale: Double?
    /// Whether the language head is the text tower's token table instead of a separate matrix.
    package var tiesLanguageHead = false

    public init(
        width: Int = 512, intermediateWidth: Int = 2048, layers: Int = 12, heads: Int = 8,
        activation: Activation = .gelu, layerNormEpsilon: Double = 1e-5
    ) {
        self.width = width
        self.intermediateWidth = intermediateWidth
        self.layers = layers
        self.heads = heads
        self.activation = activation
        self.layerNormEpsilon = layerNormEpsilon
    }
}

/// The attentional poolers of CoCa: learned queries that make a decoder's tokens and the image's vector.
public struct QueryPoolingConfiguration: Sendable, Hashable {
    /// The source of the image's vector.
    public enum Layout: String, Sendable, Hashable, CaseIterable {
        /// The first of the queries gives the vector, all others the tokens, after one norm (open_clip).
        case joint
        /// A separate pooler with one query attends to the patches, parallel to the one for tokens (Yu et al. 2022).
        case parallel
        /// A separate pooler with one query attends to the tokens of the other (Yu et al. 2022).
        case cascade
    }

    /// Queries, including that of the vector where the layout is `joint`.
    package var queries: Int
    /// Width of the queries' output.
    package var width: Int
    package var heads: Int
    package var layout: Layout

    public init(queries: Int = 256, width: Int = 512, heads: Int = 8, layout: Layout = .joint) {
        self.queries = queries
        self.width = width
        self.heads = heads
        self.layout = layout
    }

    /// Number of an image's tokens for the decoder.
    package var tokenCount: Int { layout == .joint ? queries - 1 : queries }
}

extension CoCaConfiguration {
    /// The `model_type` of a CoCa; transformers has no class for one.
    static let ownModelType = "concord-coca"

    /// The `config.json` of a model folder: Concord's own form.
    package func configurationJSON() -> JSONValue {
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
    package init(own json: JSONValue, path: String) throws(ConcordError) {
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
        let queries = shape(Tower.image.root + ".attention_pool.query")?.first
        let isSeparate = shape(Tower.image.root + ".contrastive_pool.query") != nil
        let expected = vision.queryPooling
        if queries != expected?.queries || isSeparate != (expected.map { $0.layout != .joint } ?? false) {
            let own = poolers(expected?.queries, expected.map { $0.layout != .joint } ?? false)
            throw refuse("pooler", poolers(queries, isSeparate), own)
        }
        let hasHead = shape("language_head.weight") != nil
        if hasHead == decoder.tiesLanguageHead {
            func head(_ isTied: Bool) -> String {
                isTied ? "none but the table of tokens" : "a separate matrix"
            }
            throw refuse("language head", head(!hasHead), head(decoder.tiesLanguageHead))
        }
    }
}
