import ConcordCore

/// AST (Gong et al. 2021), the audio spectrogram transformer: a vision transformer over overlapping patches of a
/// log-mel spectrogram. A clip's vector is the mean of its class token and its distillation token.
public struct ASTConfiguration: Sendable, Hashable {
    /// Mel bins of a spectrogram.
    public var bins: Int
    /// Frames of a spectrogram: always as many.
    public var frames: Int
    public var width: Int
    public var intermediateWidth: Int
    public var layers: Int
    public var heads: Int
    /// The side of a patch, and the distances between patches.
    public var patchSize: Int
    public var binStride: Int
    public var frameStride: Int
    public var activation: Activation
    public var layerNormEpsilon: Double
    /// Whether queries, keys and values have biases.
    public var hasAttentionBias = true

    /// The configuration of `MIT/ast-finetuned-audioset-10-10-0.4593`, except for the given values.
    public init(
        bins: Int = 128, frames: Int = 1024, width: Int = 768, intermediateWidth: Int = 3072, layers: Int = 12,
        heads: Int = 12, patchSize: Int = 16, binStride: Int = 10, frameStride: Int = 10,
        activation: Activation = .gelu, layerNormEpsilon: Double = 1e-12
    ) {
        self.bins = bins
        self.frames = frames
        self.width = width
        self.intermediateWidth = intermediateWidth
        self.layers = layers
        self.heads = heads
        self.patchSize = patchSize
        self.binStride = binStride
        self.frameStride = frameStride
        self.activation = activation
        self.layerNormEpsilon = layerNormEpsilon
    }

    /// Patches of a spectrogram.
    package var patchCount: Int {
        ((bins - patchSize) / binStride + 1) * ((frames - patchSize) / frameStride + 1)
    }

    package static let modelType = "audio-spectrogram-transformer"

    /// Reads a `config.json` of transformers' `ASTModel` and `ASTForAudioClassification`.
    ///
    /// - Throws: `.invalidConfiguration` for values that no model can have.
    package init(huggingFace json: JSONValue, path: String) throws(ConcordError) {
        let fields = try JSONFields(json, path: path)
        self.init(
            bins: try fields.integer("num_mel_bins", default: 128),
            frames: try fields.integer("max_length", default: 1024),
            width: try fields.integer("hidden_size", default: 768),
            intermediateWidth: try fields.integer("intermediate_size", default: 3072),
            layers: try fields.integer("num_hidden_layers", default: 12),
            heads: try fields.integer("num_attention_heads", default: 12),
            patchSize: try fields.side("patch_size", default: 16),
            binStride: try fields.integer("frequency_stride", default: 10),
            frameStride: try fields.integer("time_stride", default: 10),
            activation: try fields.activation("hidden_act", default: .gelu),
            layerNormEpsilon: try fields.number("layer_norm_eps", default: 1e-12))
        hasAttentionBias = try fields.boolean("qkv_bias", default: true)
        try validate(path: path)
    }

    /// The `config.json` that transformers' `ASTModel` reads back.
    package func huggingFaceJSON() -> JSONValue {
        .object([
            .init("architectures", .array(["ASTModel"])), .init("model_type", .string(Self.modelType)),
            .init("dtype", "float32"), .init("num_mel_bins", .integer(bins)), .init("max_length", .integer(frames)),
            .init("hidden_size", .integer(width)), .init("intermediate_size", .integer(intermediateWidth)),
            .init("num_hidden_layers", .integer(layers)), .init("num_attention_heads", .integer(heads)),
            .init("patch_size", .integer(patchSize)), .init("frequency_stride", .integer(binStride)),
            .init("time_stride", .integer(frameStride)), .init("hidden_act", .string(activation.rawValue)),
            .init("layer_norm_eps", .number(layerNormEpsilon)), .init("qkv_bias", .bool(hasAttentionBias)),
        ])
    }

    /// The names of the published files, which transformers writes too.
    package static let layout: CheckpointLayout = layout(
        block: "encoder.layer.*.", query: "attention.attention.query.*", key: "attention.attention.key.*",
        value: "attention.attention.value.*", output: "attention.output.dense.*", up: "intermediate.dense.*",
        down: "output.dense.*")

    /// The names that transformers has in memory since version 5.
    private static let newLayout = layout(
        block: "layers.*.", query: "attention.q_proj.*", key: "attention.k_proj.*", value: "attention.v_proj.*",
        output: "attention.o_proj.*", up: "mlp.fc1.*", down: "mlp.fc2.*")

    private static func layout(
        block: String, query: String, key: String, value: String, output: String, up: String, down: String
    ) -> CheckpointLayout {
        let own = "audio_model.layers.*."
        return CheckpointLayout(
            .huggingFace,
            rules: [
                KeyRule(own + "layer_norm1.*", block + "layernorm_before.*"),
                KeyRule(own + "layer_norm2.*", block + "layernorm_after.*"),
                KeyRule(own + "self_attn.q_proj.*", block + query),
                KeyRule(own + "self_attn.k_proj.*", block + key),
                KeyRule(own + "self_attn.v_proj.*", block + value),
                KeyRule(own + "self_attn.out_proj.*", block + output),
                KeyRule(own + "mlp.fc1.*", block + up),
                KeyRule(own + "mlp.fc2.*", block + down),
                KeyRule("audio_model.layer_norm.*", "layernorm.*"),
                KeyRule("audio_model.*", "*"),
            ], others: ["classifier.*"])
    }
}

extension ASTConfiguration: AudioModelConfiguration {
    package var architecture: ModelFolder.Architecture { .ast(self) }
    package var kind: ModelManifest.Architecture { .ast }
    package var kindName: String { "an audio spectrogram transformer" }
    package var audioTower: AudioTowerConfiguration? { .ast(self) }

    package func validate(path: String) throws(ConcordError) {
        let check = ConfigurationCheck(path: path)
        try check.sizes([
            "num_mel_bins": bins, "max_length": frames, "patch_size": patchSize, "frequency_stride": binStride,
            "time_stride": frameStride,
        ])
        try check.blocks(
            width: width, intermediateWidth: intermediateWidth, layers: layers, heads: heads,
            epsilon: layerNormEpsilon, prefix: "")
        try check.require(
            patchSize <= min(bins, frames),
            "`patch_size` \(patchSize) is above the spectrogram of \(frames) frames and \(bins) bins")
    }

    package func fitted(
        to checkpoint: CheckpointReader, _ layout: inout CheckpointLayout
    ) throws(ConcordError) -> ModelFolder.Architecture {
        if checkpoint.tensors.contains(where: { $0.name.hasSuffix("layers.0.layernorm_before.weight") }) {
            layout = Self.newLayout
        }
        layout = try layout.fitted(to: checkpoint, by: "audio_model.embeddings.cls_token")
        return architecture
    }
}
