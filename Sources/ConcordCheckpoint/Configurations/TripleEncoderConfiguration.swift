import ConcordCore

/// Three towers in one space: images, texts and speech.
public struct TripleEncoderConfiguration: Sendable, Hashable {
    /// The towers of images and texts, with the width of the space.
    public var towers: DualEncoderConfiguration
    public var audio: SpeechTowerConfiguration

    public init(towers: DualEncoderConfiguration, audio: SpeechTowerConfiguration) {
        self.towers = towers
        self.audio = audio
    }
}

// MARK: - Fields

extension TripleEncoderConfiguration {
    /// The `model_type` of three towers; transformers has no class for them.
    static let ownModelType = "concord-triple-encoder"

    /// The `config.json` of a model folder: Concord's own form of two towers, and `audio_config`.
    package func configurationJSON() -> JSONValue {
        let members = (towers.ownJSON.members ?? []).map {
            $0.name == "model_type" ? .init("model_type", .string(Self.ownModelType)) : $0
        }
        let audioJSON: JSONValue = [
            "bins": .integer(audio.bins), "channels": .integer(audio.channels),
            "convolutions": .integer(audio.convolutions), "positions": .integer(audio.positions),
            "hidden_size": .integer(audio.width), "intermediate_size": .integer(audio.intermediateWidth),
            "num_hidden_layers": .integer(audio.layers), "num_attention_heads": .integer(audio.heads),
            "hidden_act": .string(audio.activation.rawValue), "layer_norm_eps": .number(audio.layerNormEpsilon),
        ]
        return .object(members + [.init("audio_config", audioJSON)])
    }

    /// Reads what ``configurationJSON()`` wrote.
    ///
    /// - Throws: `.invalidConfiguration`, naming the member.
    package init(own json: JSONValue, path: String) throws(ConcordError) {
        let fields = try JSONFields(json, path: path), audio = try fields.object("audio_config")
        self.init(
            towers: try DualEncoderConfiguration.own(fields),
            audio: SpeechTowerConfiguration(
                bins: try audio.integer("bins"), channels: try audio.integer("channels"),
                convolutions: try audio.integer("convolutions"), positions: try audio.integer("positions"),
                width: try audio.integer("hidden_size"), intermediateWidth: try audio.integer("intermediate_size"),
                layers: try audio.integer("num_hidden_layers"), heads: try audio.integer("num_attention_heads"),
                activation: try audio.choice("hidden_act"), layerNormEpsilon: try audio.number("layer_norm_eps")))
        try validate(path: path)
    }
}

// MARK: - Model folders

extension TripleEncoderConfiguration: ArchitectureConfiguration {
    package var architecture: ModelFolder.Architecture { .tripleEncoder(self) }
    package var kind: ModelManifest.Architecture { .tripleEncoder }
    package var kindName: String { "a model of three towers" }
    package var textTower: TextTowerConfiguration? { towers.text }
    package var imageTower: VisionTransformerConfiguration? { towers.vision }
    package var audioTower: AudioTowerConfiguration? { .speech(audio) }
    package var projectedWidth: Int? { towers.projectionWidth }
    package var towerPair: DualEncoderConfiguration? { towers }

    package func resized(to towers: DualEncoderConfiguration) -> ModelFolder.Architecture {
        .tripleEncoder(TripleEncoderConfiguration(towers: towers, audio: audio))
    }

    package func validate(path: String) throws(ConcordError) {
        try towers.validate(path: path)
        try audio.validate(path: path, prefix: "audio_config.")
    }

    package static func read(_ files: FolderFiles) throws(ConcordError) -> FolderContents? {
        guard let config = files.config, files.modelType == ownModelType else { return nil }
        return FolderContents(
            architecture: .tripleEncoder(try TripleEncoderConfiguration(own: config, path: files.configPath)),
            layout: .huggingFace, weights: files.path, tokenizer: TokenizerSource(folder: files.path))
    }

    package func fitted(
        to checkpoint: CheckpointReader, _ layout: inout CheckpointLayout
    ) throws(ConcordError) -> ModelFolder.Architecture {
        layout = try layout.fitted(to: checkpoint, by: "logit_scale")
        return .tripleEncoder(self)
    }

    package func documents(
        _ layout: CheckpointLayout.Family, _ inputs: FolderDocuments.Inputs
    ) throws(ConcordError) -> FolderDocuments {
        guard layout == .huggingFace else {
            throw ConcordError(
                .invalidConfiguration,
                "open_clip has no model of images, texts and speech in one space; leave out `--to open_clip`")
        }
        return try FolderDocuments(.huggingFace, config: configurationJSON(), inputs)
    }

    package func requireTransformersClass() throws(ConcordError) {
        throw ConcordError(
            .invalidConfiguration, "transformers has no class for three towers; Concord's own folder is the only form")
    }
}
