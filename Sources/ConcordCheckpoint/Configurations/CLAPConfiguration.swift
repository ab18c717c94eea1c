import ConcordCore

/// CLAP (Wu et al. 2023): an audio tower and a RoBERTa, and the space in which they are compared.
///
/// Follows `models/clap/configuration_clap.py` of transformers 5.23.
public struct CLAPConfiguration: Sendable, Hashable {
    /// RoBERTa, pooled by its own pooler.
    public var text: BERTConfiguration
    public var audio: HTSATConfiguration
    /// Width of the space that both towers project into.
    public var projectionWidth: Int
    /// The function between the two linear layers of each projection.
    public var projectionActivation: Activation
    /// Both initial logit scales, not their logarithms.
    public var initialScale: Double

    /// The configuration of `laion/clap-htsat-unfused`, except for the given values.
    public init(
        text: BERTConfiguration = .init(
            family: .roberta, vocabularySize: 50265, positions: 514, tokenTypes: 1, padToken: 1),
        audio: HTSATConfiguration = .init(), projectionWidth: Int = 512, projectionActivation: Activation = .relu,
        initialScale: Double = 1 / 0.07
    ) {
        self.text = text
        self.text.pooling = .pooler
        self.audio = audio
        self.projectionWidth = projectionWidth
        self.projectionActivation = projectionActivation
        self.initialScale = initialScale
    }

    package static let modelType = "clap"

    /// Reads the contents of a `config.json` of transformers' `ClapModel`.
    ///
    /// - Throws: `.invalidConfiguration` for another kind of model and for values that no model can have.
    package init(huggingFace json: JSONValue, path: String) throws(ConcordError) {
        let fields = try JSONFields(json, path: path)
        let text = try fields.object("text_config"), audio = try fields.object("audio_config")
        let scale = try fields.number("logit_scale_init_value", default: 1 / 0.07)
        self.init(
            text: BERTConfiguration(
                family: .roberta, vocabularySize: try text.integer("vocab_size", default: 50265),
                width: try text.integer("hidden_size", default: 768),
                intermediateWidth: try text.integer("intermediate_size", default: 3072),
                layers: try text.integer("num_hidden_layers", default: 12),
                heads: try text.integer("num_attention_heads", default: 12),
                positions: try text.integer("max_position_embeddings", default: 514),
                tokenTypes: try text.integer("type_vocab_size", default: 1),
                activation: try text.activation("hidden_act", default: .gelu),
                layerNormEpsilon: try text.number("layer_norm_eps", default: 1e-12),
                padToken: try text.integer("pad_token_id", default: 1, in: 0...ConfigurationCheck.largestSize)),
            audio: try HTSATConfiguration(clap: audio),
            projectionWidth: try fields.integer("projection_dim", default: 512),
            projectionActivation: try fields.activation("projection_hidden_act", default: .relu),
            initialScale: scale)
        let width = try audio.integer("hidden_size", default: 768)
        try validate(path: path)
        guard width == self.audio.width else {
            throw audio.failure(
                "hidden_size", "is \(width), but its last stage has \(self.audio.width) channels; fetch the file again")
        }
    }

    /// The `config.json` that transformers' `ClapModel` reads back.
    package func huggingFaceJSON() -> JSONValue {
        let projection: [JSONValue.Member] = [
            .init("projection_dim", .integer(projectionWidth)),
            .init("projection_hidden_act", .string(projectionActivation.rawValue)),
        ]
        let text = text.huggingFaceMembers.map { $0.name == "model_type" ? .init($0.name, "clap_text_model") : $0 }
        let audio = audio.huggingFaceMembers(
            projectionWidth: projectionWidth, projectionActivation: projectionActivation)
        return .object(
            [
                .init("architectures", ["ClapModel"]), .init("model_type", .string(Self.modelType)),
                .init("dtype", "float32"), .init("logit_scale_init_value", .number(initialScale)),
            ] + projection + [.init("text_config", .object(text + projection)), .init("audio_config", .object(audio))])
    }
}

extension CLAPConfiguration: AudioModelConfiguration {
    package static var layout: CheckpointLayout { .huggingFace }
    package var architecture: ModelFolder.Architecture { .clap(self) }
    package var kind: ModelManifest.Architecture { .clap }
    package var kindName: String { "a CLAP of sounds and texts" }
    package var textTower: TextTowerConfiguration? { .bert(text) }
    package var audioTower: AudioTowerConfiguration? { .htsat(audio) }
    package var projectedWidth: Int? { projectionWidth }

    package func validate(path: String) throws(ConcordError) {
        let check = ConfigurationCheck(path: path)
        try check.sizes(["projection_dim": projectionWidth])
        try check.validate(.bert(text), prefix: "text_config.")
        try check.validate(audio, prefix: "audio_config.")
        try check.require(
            initialScale > 0 && initialScale.isFinite, "`logit_scale_init_value` is \(initialScale), not above 0")
    }

    package func fitted(
        to checkpoint: CheckpointReader, _ layout: inout CheckpointLayout
    ) throws(ConcordError) -> ModelFolder.Architecture {
        layout = try layout.fitted(to: checkpoint, by: "logit_scale_a")
        return architecture
    }
}
