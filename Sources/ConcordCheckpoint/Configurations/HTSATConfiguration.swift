import ConcordCore

/// HTS-AT (Chen et al. 2022), the audio tower of CLAP: a Swin transformer over a log-mel spectrogram that is folded into
/// a square picture.
public struct HTSATConfiguration: Sendable, Hashable {
    /// Mel bins of a spectrogram.
    public var bins: Int
    /// The side of the folded picture.
    public var pictureSize: Int
    /// The side of a patch, and the distance between patches, in the picture.
    public var patchSize: Int
    public var patchStride: Int
    /// Width of the first stage; each later one is twice as wide as the one before.
    public var patchWidth: Int
    /// Blocks of each stage, and their attention heads.
    public var depths: [Int]
    public var heads: [Int]
    /// The side of the windows within which patches attend to each other.
    public var windowSize: Int
    /// The inner width of a block's perceptron, relative to the block's.
    public var perceptronRatio: Double
    public var activation: Activation
    public var layerNormEpsilon: Double
    /// Whether queries, keys and values have biases.
    public var hasAttentionBias = true
    /// Whether a norm follows the patch embedding.
    public var hasPatchNorm = true
    /// Whether clips that are longer than the spectrogram are seen as a whole and in three crops, which attentional
    /// feature fusion joins (Wu et al. 2023); `fusionReduction` is how much narrower the fusion is inside.
    public var fusesLongClips = false
    public var fusionReduction = 4

    /// The configuration of `laion/clap-htsat-unfused`, except for the given values.
    public init(
        bins: Int = 64, pictureSize: Int = 256, patchSize: Int = 4, patchStride: Int = 4, patchWidth: Int = 96,
        depths: [Int] = [2, 2, 6, 2], heads: [Int] = [4, 8, 16, 32], windowSize: Int = 8, perceptronRatio: Double = 4,
        activation: Activation = .gelu, layerNormEpsilon: Double = 1e-5
    ) {
        self.bins = bins
        self.pictureSize = pictureSize
        self.patchSize = patchSize
        self.patchStride = patchStride
        self.patchWidth = patchWidth
        self.depths = depths
        self.heads = heads
        self.windowSize = windowSize
        self.perceptronRatio = perceptronRatio
        self.activation = activation
        self.layerNormEpsilon = layerNormEpsilon
    }

    /// Width of a stage.
    package func width(stage: Int) -> Int { patchWidth << stage }
    /// Width of a clip's vector before the projection.
    package var width: Int { width(stage: depths.count - 1) }
    /// Strips of a spectrogram, one above the other in the picture.
    package var strips: Int { pictureSize / bins }
    /// Frames of a spectrogram that fills the picture; shorter ones are stretched to it.
    package var longestFrames: Int { pictureSize * strips }
    /// Patches along a side of the picture, before a stage.
    package func side(stage: Int) -> Int { (pictureSize / patchStride) >> stage }
    /// Spectrograms of a clip.
    package var channels: Int { fusesLongClips ? 4 : 1 }
}

extension HTSATConfiguration {
    /// Reads the member `audio_config` of transformers' `ClapConfig`.
    init(clap fields: JSONFields) throws(ConcordError) {
        self.init(
            bins: try fields.integer("num_mel_bins", default: 64),
            pictureSize: try fields.integer("spec_size", default: 256),
            patchSize: try fields.side("patch_size", default: 4),
            patchStride: try fields.side("patch_stride", default: 4),
            patchWidth: try fields.integer("patch_embeds_hidden_size", default: 96),
            depths: try fields.integers("depths", default: [2, 2, 6, 2]),
            heads: try fields.integers("num_attention_heads", default: [4, 8, 16, 32]),
            windowSize: try fields.integer("window_size", default: 8),
            perceptronRatio: try fields.number("mlp_ratio", default: 4),
            activation: try fields.activation("hidden_act", default: .gelu),
            layerNormEpsilon: try fields.number("layer_norm_eps", default: 1e-5))
        hasAttentionBias = try fields.boolean("qkv_bias", default: true)
        hasPatchNorm = try fields.boolean("enable_patch_layer_norm", default: true)
        fusesLongClips = try fields.boolean("enable_fusion", default: false)
        fusionReduction = try fields.integer("aff_block_r", default: 4)
        if fusesLongClips {
            try fields.refuse(
                "fusion_type", allowing: ["aff_2d"], "only attentional feature fusion (null) is supported")
        }
        guard try fields.integer("patch_embed_input_channels", default: 1) == 1 else {
            throw fields.failure("patch_embed_input_channels", "must be 1: a sound has one spectrogram")
        }
        guard try fields.boolean("flatten_patch_embeds", default: true) else {
            throw fields.failure("flatten_patch_embeds", "is false; only patches as tokens are supported")
        }
    }

    /// The member `audio_config` of transformers' `ClapConfig`.
    func huggingFaceMembers(projectionWidth: Int, projectionActivation: Activation) -> [JSONValue.Member] {
        [
            .init("model_type", "clap_audio_model"),
            .init("num_mel_bins", .integer(bins)),
            .init("spec_size", .integer(pictureSize)),
            .init("patch_size", .integer(patchSize)),
            .init("patch_stride", .array([.integer(patchStride), .integer(patchStride)])),
            .init("patch_embeds_hidden_size", .integer(patchWidth)),
            .init("hidden_size", .integer(width)),
            .init("depths", .array(depths.map(JSONValue.integer))),
            .init("num_attention_heads", .array(heads.map(JSONValue.integer))),
            .init("num_hidden_layers", .integer(depths.count)),
            .init("window_size", .integer(windowSize)),
            .init("mlp_ratio", .number(perceptronRatio)),
            .init("hidden_act", .string(activation.rawValue)),
            .init("layer_norm_eps", .number(layerNormEpsilon)),
            .init("qkv_bias", .bool(hasAttentionBias)),
            .init("enable_patch_layer_norm", .bool(hasPatchNorm)),
            .init("enable_fusion", .bool(fusesLongClips)),
            .init("aff_block_r", .integer(fusionReduction)),
            .init("projection_dim", .integer(projectionWidth)),
            .init("projection_hidden_act", .string(projectionActivation.rawValue)),
        ]
    }
}

extension ConfigurationCheck {
    func validate(_ audio: HTSATConfiguration, prefix: String) throws(ConcordError) {
        try sizes(
            [
                "num_mel_bins": audio.bins, "spec_size": audio.pictureSize, "patch_size": audio.patchSize,
                "patch_stride": audio.patchStride, "window_size": audio.windowSize,
                "aff_block_r": audio.fusionReduction,
            ], prefix: prefix)
        try require(
            (1...8).contains(audio.depths.count) && audio.depths.count == audio.heads.count,
            "`\(prefix)depths` has \(audio.depths.count) stages, `\(prefix)num_attention_heads` \(audio.heads.count); "
                + "both must have the same 1...8")
        try require(
            audio.pictureSize.isMultiple(of: audio.bins),
            "`\(prefix)spec_size` \(audio.pictureSize) is not a multiple of the \(audio.bins) mel bins")
        try require(
            audio.patchSize >= audio.patchStride && (audio.patchSize - audio.patchStride).isMultiple(of: 2)
                && audio.pictureSize.isMultiple(of: audio.patchStride)
                && audio.pictureSize / audio.patchStride >= 1 << (audio.depths.count - 1),
            "patches of \(audio.patchSize) every \(audio.patchStride) do not tile a picture of \(audio.pictureSize)")
        try require(
            audio.perceptronRatio > 0 && audio.perceptronRatio <= 1024,
            "`\(prefix)mlp_ratio` is \(audio.perceptronRatio), not within 0...1024")
        try require(
            !audio.fusesLongClips || audio.patchWidth >= audio.fusionReduction,
            "`\(prefix)aff_block_r` \(audio.fusionReduction) leaves none of \(audio.patchWidth) channels")
        try sizes(["patch_embeds_hidden_size": audio.patchWidth], prefix: prefix)
        for (stage, (depth, heads)) in zip(audio.depths, audio.heads).enumerated() {
            let width = audio.width(stage: stage), side = audio.side(stage: stage)
            try blocks(
                width: width, intermediateWidth: Int(audio.perceptronRatio * Double(width)), layers: depth,
                heads: heads, epsilon: audio.layerNormEpsilon, prefix: prefix)
            let isLast = stage == audio.depths.count - 1
            try require(
                side.isMultiple(of: audio.windowSize) && (isLast || side.isMultiple(of: 2)),
                "stage \(stage + 1) has \(side) × \(side) patches, which windows of \(audio.windowSize) do not tile")
        }
    }
}

extension JSONFields {
    /// A list of whole numbers.
    func integers(_ name: String, default standard: [Int]) throws(ConcordError) -> [Int] {
        guard let value = self[name] else { return standard }
        let numbers = (value.elements ?? []).compactMap(\.int)
        guard let elements = value.elements, !numbers.isEmpty, numbers.count == elements.count else {
            throw failure(name, .wrong(expected: "a list of whole numbers", found: value))
        }
        return numbers
    }
}
