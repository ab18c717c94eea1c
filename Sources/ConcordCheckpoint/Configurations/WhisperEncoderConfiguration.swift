import ConcordCore

/// The encoder of Whisper (Radford et al. 2023) alone: a transformer over a log-mel spectrogram of 30 seconds.
///
/// A clip's vector is the mean over the frames that are no padding.
public struct WhisperEncoderConfiguration: Sendable, Hashable {
    /// Mel bins of a spectrogram.
    public var bins: Int
    public var width: Int
    public var intermediateWidth: Int
    public var layers: Int
    public var heads: Int
    /// Rows of the position table, each of two frames: a spectrogram has exactly `2 · positions`.
    public var positions: Int
    public var activation: Activation

    /// The configuration of `openai/whisper-tiny`, except for the given values.
    public init(
        bins: Int = 80, width: Int = 384, intermediateWidth: Int = 1536, layers: Int = 4, heads: Int = 6,
        positions: Int = 1500, activation: Activation = .gelu
    ) {
        self.bins = bins
        self.width = width
        self.intermediateWidth = intermediateWidth
        self.layers = layers
        self.heads = heads
        self.positions = positions
        self.activation = activation
    }

    package static let modelType = "whisper"

    /// Reads the encoder's part of a `config.json` of transformers' `WhisperModel` and its kin.
    ///
    /// - Throws: `.invalidConfiguration` for values that no model can have.
    package init(huggingFace json: JSONValue, path: String) throws(ConcordError) {
        let fields = try JSONFields(json, path: path)
        self.init(
            bins: try fields.integer("num_mel_bins", default: 80), width: try fields.integer("d_model", default: 384),
            intermediateWidth: try fields.integer("encoder_ffn_dim", default: 1536),
            layers: try fields.integer("encoder_layers", default: 4),
            heads: try fields.integer("encoder_attention_heads", default: 6),
            positions: try fields.integer("max_source_positions", default: 1500),
            activation: try fields.activation("activation_function", default: .gelu))
        try validate(path: path)
    }

    /// The `config.json` that transformers' `WhisperForAudioClassification` reads back: the one class without a decoder.
    package func huggingFaceJSON() -> JSONValue {
        .object([
            .init("architectures", .array(["WhisperForAudioClassification"])),
            .init("model_type", .string(Self.modelType)), .init("dtype", "float32"),
            .init("num_mel_bins", .integer(bins)), .init("d_model", .integer(width)),
            .init("encoder_ffn_dim", .integer(intermediateWidth)), .init("encoder_layers", .integer(layers)),
            .init("encoder_attention_heads", .integer(heads)), .init("max_source_positions", .integer(positions)),
            .init("activation_function", .string(activation.rawValue)),
        ])
    }

    /// transformers' names: those of the encoder within the whole model.
    package static let layout: CheckpointLayout = {
        let block = "audio_model.layers.*.", file = "encoder.layers.*."
        return CheckpointLayout(
            .huggingFace,
            rules: [
                KeyRule(block + "layer_norm1.*", file + "self_attn_layer_norm.*"),
                KeyRule(block + "layer_norm2.*", file + "final_layer_norm.*"),
                KeyRule(block + "mlp.*", file + "*"),
                KeyRule("audio_model.*", "encoder.*"),
            ], others: ["decoder.*", "*.decoder.*", "proj_out.*", "projector.*", "classifier.*", "layer_weights"])
    }()
}

extension WhisperEncoderConfiguration: AudioModelConfiguration {
    package var architecture: ModelFolder.Architecture { .whisperEncoder(self) }
    package var kind: ModelManifest.Architecture { .whisperEncoder }
    package var kindName: String { "an encoder of Whisper" }
    package var audioTower: AudioTowerConfiguration? { .whisper(self) }

    package func validate(path: String) throws(ConcordError) {
        let check = ConfigurationCheck(path: path)
        try check.sizes([
            "num_mel_bins": bins, "d_model": width, "encoder_ffn_dim": intermediateWidth,
            "encoder_attention_heads": heads, "max_source_positions": positions,
        ])
        try check.blocks(
            width: width, intermediateWidth: intermediateWidth, layers: layers, heads: heads, epsilon: 1e-5, prefix: "")
        try check.require(width.isMultiple(of: 2), "`d_model` is \(width), which is not even")
    }

    package func fitted(
        to checkpoint: CheckpointReader, _ layout: inout CheckpointLayout
    ) throws(ConcordError) -> ModelFolder.Architecture {
        // An encoder that was saved by itself has no prefix.
        layout = try layout.fitted(to: checkpoint, root: "encoder.", by: "conv1.weight")
        return architecture
    }
}
