import ConcordCore

/// The models of transformers that are one tower of two, by the `model_type` of their configurations.
///
/// Follows `CLIPTextModel`, `CLIPVisionModel`, their `…WithProjection`, `SiglipTextModel` and `SiglipVisionModel` in
/// `models/clip/modeling_clip.py` and `models/siglip/modeling_siglip.py` of transformers 5.23. The vector is what
/// these call `text_embeds` or `image_embeds` and, without a projection, `pooler_output`.
enum SingleTower: String, CaseIterable {
    case clipText = "clip_text_model"
    case clipVision = "clip_vision_model"
    case sigLIPText = "siglip_text_model"
    case sigLIPVision = "siglip_vision_model"

    /// The `config.json` that transformers' class for the tower reads back.
    func json(_ className: String, _ members: [JSONValue.Member]) -> JSONValue {
        .object([.init("architectures", .array([.string(className)])), .init("dtype", "float32")] + members)
    }

    /// Whether a configuration has the projection. The weights say it, too, where a configuration does not.
    fileprivate static func hasProjection(_ fields: JSONFields) -> Bool {
        let classes = (fields["architectures"]?.elements ?? []).compactMap(\.string)
        return classes.contains { $0.hasSuffix("WithProjection") }
    }

    fileprivate static func folder(_ files: FolderFiles, _ tower: some SingleTowerConfiguration) -> FolderContents {
        FolderContents(
            architecture: tower.architecture, layout: tower.layout, weights: files.path,
            tokenizer: TokenizerSource(folder: files.path))
    }
}

/// What both towers alone have in common.
private protocol SingleTowerConfiguration: ArchitectureConfiguration {
    /// The layout in which transformers keeps the tower, the tower's name in front of all names.
    var layout: CheckpointLayout { get }
}

/// The text tower of a CLIP or SigLIP alone.
package struct SingleTextTowerConfiguration: ArchitectureConfiguration, SingleTowerConfiguration {
    package var text: TextTransformerConfiguration
    /// The width of the vectors.
    package var width: Int

    package var architecture: ModelFolder.Architecture { .textTower(text, width: width) }
    package var kind: ModelManifest.Architecture { .textTower }
    package var kindName: String { "a text tower alone" }
    package var textTower: TextTowerConfiguration? { .transformer(text) }
    package var imageTower: VisionTransformerConfiguration? { nil }
    package var projectedWidth: Int? { width }

    private var isSigLIP: Bool { text.projection == .linearWithBias }
    fileprivate var layout: CheckpointLayout { isSigLIP ? .huggingFaceSigLIP : .huggingFace }

    package func validate(path: String) throws(ConcordError) {
        let check = ConfigurationCheck(path: path)
        try check.sizes(["projection_dim": width])
        try check.validate(.transformer(text), prefix: "")
    }

    package static func read(_ files: FolderFiles) throws(ConcordError) -> FolderContents? {
        guard !files.isOpenCLIP, let config = files.config else { return nil }
        let fields: JSONFields, tower: SingleTextTowerConfiguration
        switch files.modelType.flatMap(SingleTower.init(rawValue:)) {
        case .clipText:
            fields = try JSONFields(config, path: files.configPath)
            var text = try TextTransformerConfiguration(clip: fields)
            let hasProjection = SingleTower.hasProjection(fields)
            text.projection = hasProjection ? .linear : .none
            tower = .init(
                text: text, width: hasProjection ? try fields.integer("projection_dim", default: 512) : text.width)
        case .sigLIPText:
            fields = try JSONFields(config, path: files.configPath)
            let text = try TextTransformerConfiguration(sigLIP: fields)
            tower = .init(text: text, width: try fields.integer("projection_size", default: text.width))
        case .clipVision, .sigLIPVision, nil: return nil
        }
        try tower.validate(path: files.configPath)
        return SingleTower.folder(files, tower)
    }

    package func fitted(
        to checkpoint: CheckpointReader, _ layout: inout CheckpointLayout
    ) throws(ConcordError) -> ModelFolder.Architecture {
        layout = try layout.fitted(
            to: checkpoint, root: Tower.text.root + ".", by: "embeddings.token_embedding.weight")
        guard text.projection == .none,
            let projected = checkpoint.projection(Tower.text.projection + ".weight", layout)
        else { return architecture }
        var text = text
        text.projection = .linear
        return .textTower(text, width: projected)
    }

    package func documents(
        _ layout: CheckpointLayout.Family, _ inputs: FolderDocuments.Inputs
    ) throws(ConcordError) -> FolderDocuments {
        guard layout == .huggingFace else {
            throw ConcordError(
                .invalidConfiguration, "open_clip has no format for a text encoder alone; save it as huggingface")
        }
        let kind: SingleTower = isSigLIP ? .sigLIPText : .clipText
        let name = isSigLIP ? "SiglipTextModel" : "CLIPTextModel" + (text.projection == .linear ? "WithProjection" : "")
        let members =
            text.huggingFaceMembers(kind.rawValue)
            + [.init(isSigLIP ? "projection_size" : "projection_dim", .integer(width))]
        return try FolderDocuments(self.layout, config: kind.json(name, members), inputs)
    }
}

/// The image tower of a CLIP or SigLIP alone.
package struct SingleImageTowerConfiguration: ArchitectureConfiguration, SingleTowerConfiguration {
    package var vision: VisionTransformerConfiguration
    /// The width of the vectors.
    package var width: Int

    package var architecture: ModelFolder.Architecture { .imageTower(vision, width: width) }
    package var kind: ModelManifest.Architecture { .imageTower }
    package var kindName: String { "an image tower alone" }
    package var textTower: TextTowerConfiguration? { nil }
    package var imageTower: VisionTransformerConfiguration? { vision }
    package var projectedWidth: Int? { width }

    private var isSigLIP: Bool { vision.pooling == .attention }
    fileprivate var layout: CheckpointLayout { isSigLIP ? .huggingFaceSigLIP : .huggingFace }

    package func validate(path: String) throws(ConcordError) {
        let check = ConfigurationCheck(path: path)
        try check.sizes(["projection_dim": width])
        try check.validate(vision, prefix: "")
    }

    package static func read(_ files: FolderFiles) throws(ConcordError) -> FolderContents? {
        guard !files.isOpenCLIP, let config = files.config else { return nil }
        let fields: JSONFields, tower: SingleImageTowerConfiguration
        switch files.modelType.flatMap(SingleTower.init(rawValue:)) {
        case .clipVision:
            fields = try JSONFields(config, path: files.configPath)
            var vision = try VisionTransformerConfiguration(clip: fields)
            vision.hasProjection = SingleTower.hasProjection(fields)
            tower = .init(
                vision: vision,
                width: vision.hasProjection ? try fields.integer("projection_dim", default: 512) : vision.width)
        case .sigLIPVision:
            fields = try JSONFields(config, path: files.configPath)
            let vision = try VisionTransformerConfiguration(sigLIP: fields)
            tower = .init(vision: vision, width: vision.width)
        case .clipText, .sigLIPText, nil: return nil
        }
        try tower.validate(path: files.configPath)
        return SingleTower.folder(files, tower)
    }

    package func fitted(
        to checkpoint: CheckpointReader, _ layout: inout CheckpointLayout
    ) throws(ConcordError) -> ModelFolder.Architecture {
        layout = try layout.fitted(
            to: checkpoint, root: Tower.image.root + ".", by: "embeddings.patch_embedding.weight")
        guard vision.pooling != .attention, !vision.hasProjection,
            let projected = checkpoint.projection(Tower.image.projection + ".weight", layout)
        else { return architecture }
        var vision = vision
        vision.hasProjection = true
        return .imageTower(vision, width: projected)
    }

    package func documents(
        _ layout: CheckpointLayout.Family, _ inputs: FolderDocuments.Inputs
    ) throws(ConcordError) -> FolderDocuments {
        guard layout == .huggingFace else {
            throw ConcordError(
                .invalidConfiguration, "open_clip has no format for an image tower alone; save it as huggingface")
        }
        let kind: SingleTower = isSigLIP ? .sigLIPVision : .clipVision
        let name = isSigLIP ? "SiglipVisionModel" : "CLIPVisionModel" + (vision.hasProjection ? "WithProjection" : "")
        let members =
            vision.huggingFaceMembers(kind.rawValue)
            + [isSigLIP ? .init("vision_use_head", true) : .init("projection_dim", .integer(width))]
        return try FolderDocuments(self.layout, config: kind.json(name, members), inputs)
    }
}
