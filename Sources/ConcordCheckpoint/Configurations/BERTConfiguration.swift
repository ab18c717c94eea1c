import ConcordCore

/// A text tower of the BERT family (Devlin et al. 2019) and how its tokens become one vector.
public struct BERTConfiguration: Sendable, Hashable {
    /// The members of the family, which differ in tokenizer and in where positions begin.
    public enum Family: String, Sendable, Hashable, CaseIterable {
        case bert, roberta
        case xlmRoberta = "xlm-roberta"
    }

    /// The pooling of a text's tokens into its vector; padding never counts.
    public enum Pooling: String, Sendable, Hashable, CaseIterable {
        /// The mean of all tokens, special ones included.
        case mean
        /// The first token.
        case cls
        /// The first token through a dense layer with tanh, the model's own pooler.
        case pooler
        /// The largest value of each channel.
        case max
    }

    /// The map from the pooled vector to the embedding.
    public enum Projection: String, Sendable, Hashable, CaseIterable {
        case none
        /// A matrix without bias.
        case linear
        /// Two matrices without biases around a GELU, the inner width the mean of both outer ones (open_clip's `mlp`).
        case perceptron
    }

    package var family: Family
    package var vocabularySize: Int
    package var width: Int
    package var intermediateWidth: Int
    package var layers: Int
    package var heads: Int
    /// Rows of the position table.
    package var positions: Int
    package var tokenTypes: Int
    package var activation: Activation
    package var layerNormEpsilon: Double
    package var padToken: Int
    /// Whether the checkpoint has the dense layer `pooler`, used or not.
    package var hasPooler = true
    package var pooling = Pooling.mean
    package var projection = Projection.none
    /// Tokens of the longest text, special tokens included.
    package var contextLength: Int

    public init(
        family: Family = .bert, vocabularySize: Int = 30522, width: Int = 768, intermediateWidth: Int = 3072,
        layers: Int = 12, heads: Int = 12, positions: Int = 512, tokenTypes: Int = 2, activation: Activation = .gelu,
        layerNormEpsilon: Double = 1e-12, padToken: Int = 0
    ) {
        self.family = family
        self.vocabularySize = vocabularySize
        self.width = width
        self.intermediateWidth = intermediateWidth
        self.layers = layers
        self.heads = heads
        self.positions = positions
        self.tokenTypes = tokenTypes
        self.activation = activation
        self.layerNormEpsilon = layerNormEpsilon
        self.padToken = padToken
        contextLength = positions - (family == .bert ? 0 : padToken + 1)
    }

    /// The row of the position table that the first token takes: RoBERTa's follow the padding's.
    package var firstPosition: Int { family == .bert ? 0 : padToken + 1 }
}

extension BERTConfiguration {
    /// Reads the contents of a `config.json` of transformers' `BertModel`, `RobertaModel` or `XLMRobertaModel`.
    ///
    /// Such a file says nothing of pooling: it is the mean of the tokens, as sentence-transformers takes it too.
    ///
    /// - Throws: `.invalidConfiguration` for another kind of model, positions that are not a learned table, a decoder,
    ///   and values that no model can have.
    package init(huggingFace json: JSONValue, path: String) throws(ConcordError) {
        try self.init(huggingFace: JSONFields(json, path: path))
        try ConfigurationCheck(path: path).validate(self, prefix: "")
    }

    init(huggingFace fields: JSONFields) throws(ConcordError) {
        let family: Family = try fields.choice("model_type")
        try fields.refuse(
            "position_embedding_type", allowing: ["absolute"], "only `absolute` positions are supported")
        try fields.refuse("is_decoder", "only encoders are supported")
        try fields.refuse("add_cross_attention", "only encoders of one text are supported")
        self.init(
            family: family,
            vocabularySize: try fields.integer("vocab_size", default: family == .roberta ? 50265 : 30522),
            width: try fields.integer("hidden_size", default: 768),
            intermediateWidth: try fields.integer("intermediate_size", default: 3072),
            layers: try fields.integer("num_hidden_layers", default: 12),
            heads: try fields.integer("num_attention_heads", default: 12),
            positions: try fields.integer("max_position_embeddings", default: 512),
            tokenTypes: try fields.integer("type_vocab_size", default: 2),
            activation: try fields.activation("hidden_act", default: .gelu),
            layerNormEpsilon: try fields.number("layer_norm_eps", default: 1e-12),
            // BERT does not use it; the positions of the others follow it.
            padToken: family == .bert
                ? fields["pad_token_id"]?.int ?? 0
                : try fields.integer("pad_token_id", default: 1, in: 0...ConfigurationCheck.largestSize))
    }

    /// Reads what ``ownMembers`` wrote.
    init(own fields: JSONFields) throws(ConcordError) {
        try self.init(huggingFace: fields)
        pooling = try fields.choice("pooling")
        projection = try fields.choice("projection")
        hasPooler = try fields.boolean("has_pooler")
        contextLength = try fields.integer("context_length")
    }

    /// The `config.json` that transformers' `BertModel`, `RobertaModel` or `XLMRobertaModel` reads back.
    package func huggingFaceJSON() -> JSONValue {
        let name =
            switch family {
            case .bert: "BertModel"
            case .roberta: "RobertaModel"
            case .xlmRoberta: "XLMRobertaModel"
            }
        return .object(
            [.init("architectures", .array([.string(name)])), .init("dtype", "float32")] + huggingFaceMembers)
    }

    var huggingFaceMembers: [JSONValue.Member] {
        [
            .init("model_type", .string(family.rawValue)),
            .init("vocab_size", .integer(vocabularySize)),
            .init("hidden_size", .integer(width)),
            .init("intermediate_size", .integer(intermediateWidth)),
            .init("num_hidden_layers", .integer(layers)),
            .init("num_attention_heads", .integer(heads)),
            .init("max_position_embeddings", .integer(positions)),
            .init("type_vocab_size", .integer(tokenTypes)),
            .init("hidden_act", .string(activation.rawValue)),
            .init("layer_norm_eps", .number(layerNormEpsilon)),
            .init("pad_token_id", .integer(padToken)),
        ]
    }

    /// With what only Concord says.
    var ownMembers: [JSONValue.Member] {
        huggingFaceMembers + [
            .init("pooling", .string(pooling.rawValue)),
            .init("projection", .string(projection.rawValue)),
            .init("has_pooler", .bool(hasPooler)),
            .init("context_length", .integer(contextLength)),
        ]
    }

    /// Tokens of the longest text that the position table has room for.
    var longestText: Int { positions - firstPosition }

    /// Published encoders that open_clip configurations name without giving their sizes, by their hub names.
    private static let published: KeyValuePairs<String, BERTConfiguration> = [
        "bert-base-uncased": BERTConfiguration(),
        "roberta-base": roberta(.roberta, vocabularySize: 50265),
        "roberta-large": roberta(.roberta, vocabularySize: 50265, isLarge: true),
        "xlm-roberta-base": roberta(.xlmRoberta, vocabularySize: 250002),
        "xlm-roberta-large": roberta(.xlmRoberta, vocabularySize: 250002, isLarge: true),
    ]

    private static func roberta(
        _ family: Family, vocabularySize: Int, isLarge: Bool = false
    ) -> BERTConfiguration {
        BERTConfiguration(
            family: family, vocabularySize: vocabularySize, width: isLarge ? 1024 : 768,
            intermediateWidth: isLarge ? 4096 : 3072, layers: isLarge ? 24 : 12, heads: isLarge ? 16 : 12,
            positions: 514, tokenTypes: 1, layerNormEpsilon: 1e-5, padToken: 1)
    }

    /// The published encoder of that hub name, with or without the organisation that the hub has put before it since.
    init?(publishedName name: String) {
        let organisations = ["google-bert/", "FacebookAI/"]
        let plain = organisations.first(where: name.hasPrefix).map { String(name.dropFirst($0.count)) } ?? name
        guard let found = Self.published.first(where: { $0.key == plain })?.value else { return nil }
        self = found
    }

    /// The hub name of the published encoder that has these sizes; nil when it is none of them.
    package var publishedName: String? {
        var plain = self
        plain.hasPooler = true
        plain.pooling = .mean
        plain.projection = .none
        plain.contextLength = longestText
        return Self.published.first { $0.value == plain }?.key
    }
}
