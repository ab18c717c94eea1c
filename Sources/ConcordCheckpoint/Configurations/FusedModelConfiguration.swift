import ConcordCore

/// A model that makes one vector of any of its modalities, see ``FusionConfiguration``.
public struct FusedModelConfiguration: Sendable, Hashable {
    /// What a modality's values are.
    public enum Input: Sendable, Hashable {
        /// Normalized images `[rows, channels, size, size]`, cut into patches.
        case image(size: Int, patchSize: Int, channels: Int = 3)
        /// Token ids `[rows, tokens]`, which start with a token for the whole text.
        case text(vocabularySize: Int, contextLength: Int)
        /// Log-mel spectrograms `[rows, 1, frames, bins]`.
        case speech(bins: Int = 64, channels: Int = 64, convolutions: Int = 2, positions: Int = 512)
    }

    public var fusion: FusionConfiguration
    public var inputs: [Modality: Input]
    /// Channels of the tokens of every modality.
    public var width: Int
    public var intermediateWidth: Int
    /// Layers of every modality, those with exchange included.
    public var layers: Int
    public var heads: Int
    /// Width of the vectors.
    public var projectionWidth: Int
    /// The classes of a classification head; 0 for none.
    public var classes: Int
    /// Logarithm of the initial logit scale.
    public var initialLogitScale: Double

    public init(
        fusion: FusionConfiguration, inputs: [Modality: Input], width: Int = 192, intermediateWidth: Int = 768,
        layers: Int = 4, heads: Int = 4, projectionWidth: Int = 192, classes: Int = 0,
        initialLogitScale: Double = DualEncoderConfiguration.clipLogitScale
    ) {
        self.fusion = fusion
        self.inputs = inputs
        self.width = width
        self.intermediateWidth = intermediateWidth
        self.layers = layers
        self.heads = heads
        self.projectionWidth = projectionWidth
        self.classes = classes
        self.initialLogitScale = initialLogitScale
    }

    /// Whether no layer exchanges anything, so that each tower's vector is one of its own.
    public var isLate: Bool { fusion.at == layers || fusion.exchange == .bottleneck(tokens: 0) }

    /// - Throws: `.invalidConfiguration`, naming the member.
    public func validate(path: String = "the configuration") throws(ConcordError) {
        let check = ConfigurationCheck(path: path)
        try check.blocks(
            width: width, intermediateWidth: intermediateWidth, layers: layers, heads: heads, epsilon: 0, prefix: "")
        try check.sizes(["projection_dim": projectionWidth])
        try check.require(
            (0...ConfigurationCheck.largestSize).contains(classes), "`num_classes` is \(classes)")
        try check.require(initialLogitScale.isFinite, "`logit_scale_init_value` is \(initialLogitScale)")
        try fusion.validate(layers: layers, path: path)
        let known = inputs.keys.sorted()
        try check.require(
            known == fusion.modalities,
            "`inputs` describes \(known.map(\.name).joined(separator: ", ")), and `fusion.modalities` names "
                + fusion.modalities.map(\.name).joined(separator: ", "))
        for modality in known {
            switch tower(of: modality) {
            case .image(let tower): try check.validate(tower, prefix: "inputs.\(modality).")
            case .text(let tower): try check.validate(.transformer(tower), prefix: "inputs.\(modality).")
            case .speech(let tower): try tower.validate(path: path, prefix: "inputs.\(modality).")
            case nil: break
            }
        }
    }

    // MARK: Towers

    package enum TowerConfiguration {
        case image(VisionTransformerConfiguration)
        case text(TextTransformerConfiguration)
        case speech(SpeechTowerConfiguration)
    }

    /// The tower of a modality with all layers; the model cuts off those that are shared.
    package func tower(of modality: Modality) -> TowerConfiguration? {
        switch inputs[modality] {
        case nil: return nil
        case .image(let size, let patchSize, let channels):
            return .image(
                VisionTransformerConfiguration(
                    width: width, intermediateWidth: intermediateWidth, layers: layers, heads: heads, imageSize: size,
                    patchSize: patchSize, channels: channels, activation: .gelu))
        case .text(let vocabularySize, let contextLength):
            var tower = TextTransformerConfiguration(
                vocabularySize: vocabularySize, width: width, intermediateWidth: intermediateWidth, layers: layers,
                heads: heads, contextLength: contextLength, activation: .gelu, pooling: .first)
            // Every token sees the whole text; what is padding says its length.
            tower.isCausal = false
            tower.masksPadding = true
            return .text(tower)
        case .speech(let bins, let channels, let convolutions, let positions):
            return .speech(
                SpeechTowerConfiguration(
                    bins: bins, channels: channels, convolutions: convolutions, positions: positions, width: width,
                    intermediateWidth: intermediateWidth, layers: layers, heads: heads))
        }
    }
}

// MARK: - Fields

extension FusedModelConfiguration {
    /// The `model_type` of a fused model; transformers has no class for one.
    static let ownModelType = "concord-fused"

    /// The `config.json` of a model folder: Concord's own form.
    package func configurationJSON() -> JSONValue {
        let inputs = inputs.sorted { $0.key < $1.key }.map { JSONValue.Member($0.key.name, $0.value.json) }
        return [
            "model_type": .string(Self.ownModelType), "fusion": fusion.json, "inputs": .object(inputs),
            "hidden_size": .integer(width), "intermediate_size": .integer(intermediateWidth),
            "num_hidden_layers": .integer(layers), "num_attention_heads": .integer(heads),
            "projection_dim": .integer(projectionWidth), "num_classes": .integer(classes),
            "logit_scale_init_value": .number(initialLogitScale),
        ]
    }

    /// Reads what ``configurationJSON()`` wrote.
    ///
    /// - Throws: `.invalidConfiguration`, naming the member.
    package init(own json: JSONValue, path: String) throws(ConcordError) {
        let fields = try JSONFields(json, path: path)
        try fields.refuseUnknown((FusedModelConfiguration.empty.configurationJSON().members ?? []).map(\.name))
        let inputFields = try fields.object("inputs")
        var inputs = [Modality: Input]()
        for name in inputFields.names { inputs[Modality(name)] = try Input(try inputFields.object(name)) }
        self.init(
            fusion: try FusionConfiguration(try fields.object("fusion")), inputs: inputs,
            width: try fields.integer("hidden_size"), intermediateWidth: try fields.integer("intermediate_size"),
            layers: try fields.integer("num_hidden_layers"), heads: try fields.integer("num_attention_heads"),
            projectionWidth: try fields.integer("projection_dim"),
            classes: try fields.integer("num_classes", default: 0),
            initialLogitScale: try fields.number(
                "logit_scale_init_value", default: DualEncoderConfiguration.clipLogitScale))
        try validate(path: path)
    }

    private static let empty = FusedModelConfiguration(fusion: FusionConfiguration(at: 0), inputs: [:])
}

extension FusedModelConfiguration.Input {
    private enum Kind: String, CaseIterable { case image, text, speech }

    fileprivate var json: JSONValue {
        switch self {
        case .image(let size, let patchSize, let channels):
            [
                "kind": "image", "image_size": .integer(size), "patch_size": .integer(patchSize),
                "num_channels": .integer(channels),
            ]
        case .text(let vocabularySize, let contextLength):
            [
                "kind": "text", "vocab_size": .integer(vocabularySize),
                "max_position_embeddings": .integer(contextLength),
            ]
        case .speech(let bins, let channels, let convolutions, let positions):
            [
                "kind": "speech", "bins": .integer(bins), "channels": .integer(channels),
                "convolutions": .integer(convolutions), "positions": .integer(positions),
            ]
        }
    }

    fileprivate init(_ fields: JSONFields) throws(ConcordError) {
        let kind: Kind = try fields.choice("kind")
        switch kind {
        case .image:
            try fields.refuseUnknown(["kind", "image_size", "patch_size", "num_channels"])
            self = .image(
                size: try fields.integer("image_size"), patchSize: try fields.integer("patch_size", in: 1...Int.max),
                channels: try fields.integer("num_channels", default: 3))
        case .text:
            try fields.refuseUnknown(["kind", "vocab_size", "max_position_embeddings"])
            self = .text(
                vocabularySize: try fields.integer("vocab_size"),
                contextLength: try fields.integer("max_position_embeddings"))
        case .speech:
            try fields.refuseUnknown(["kind", "bins", "channels", "convolutions", "positions"])
            self = .speech(
                bins: try fields.integer("bins", default: 64), channels: try fields.integer("channels", default: 64),
                convolutions: try fields.integer("convolutions", default: 2),
                positions: try fields.integer("positions", default: 512))
        }
    }
}
