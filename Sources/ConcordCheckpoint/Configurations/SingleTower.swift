import ConcordCore

extension ModelFolder.Architecture {
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
    }

    /// Reads the contents of a `config.json` of such a model.
    ///
    /// - Throws: `.invalidConfiguration` for a member of the wrong type, and values that no model can have.
    init(_ kind: SingleTower, huggingFace json: JSONValue, path: String) throws(ConcordError) {
        let fields = try JSONFields(json, path: path), check = ConfigurationCheck(path: path)
        let classes = (fields["architectures"]?.elements ?? []).compactMap(\.string)
        // The weights say it, too, where a configuration does not.
        let hasProjection = classes.contains { $0.hasSuffix("WithProjection") }
        func width(_ tower: Int) throws(ConcordError) -> Int {
            hasProjection ? try fields.integer("projection_dim", default: 512) : tower
        }
        switch kind {
        case .clipText:
            var text = try TextTransformerConfiguration(clip: fields)
            text.projection = hasProjection ? .linear : .none
            self = .textTower(text, width: try width(text.width))
        case .sigLIPText:
            let text = try TextTransformerConfiguration(sigLIP: fields)
            self = .textTower(text, width: try fields.integer("projection_size", default: text.width))
        case .clipVision:
            var vision = try VisionTransformerConfiguration(clip: fields)
            vision.hasProjection = hasProjection
            self = .imageTower(vision, width: try width(vision.width))
        case .sigLIPVision:
            let vision = try VisionTransformerConfiguration(sigLIP: fields)
            self = .imageTower(vision, width: vision.width)
        }
        switch self {
        case .textTower(let text, let width):
            try check.sizes(["projection_dim": width])
            try check.validate(.transformer(text), prefix: "")
        case .imageTower(let vision, let width):
            try check.sizes(["projection_dim": width])
            try check.validate(vision, prefix: "")
        case .dualEncoder, .sentenceEncoder, .coca: break
        }
    }

    /// The layout in which transformers keeps a tower alone, the tower's name in front of all names; that of two towers
    /// for other models.
    package var singleTowerLayout: CheckpointLayout {
        switch self {
        case .textTower(let text, _) where text.projection == .linearWithBias: .huggingFaceSigLIP
        case .imageTower(let vision, _) where vision.pooling == .attention: .huggingFaceSigLIP
        default: .huggingFace
        }
    }

    /// The `config.json` that transformers' class for the tower reads back; `{}` for a model that is no tower alone.
    package func singleTowerJSON() -> JSONValue {
        let members: [JSONValue.Member], name: String
        switch self {
        case .textTower(let text, let width):
            let isSigLIP = text.projection == .linearWithBias
            let kind: SingleTower = isSigLIP ? .sigLIPText : .clipText
            name = isSigLIP ? "SiglipTextModel" : "CLIPTextModel" + (text.projection == .linear ? "WithProjection" : "")
            members =
                text.huggingFaceMembers(kind.rawValue)
                + [.init(isSigLIP ? "projection_size" : "projection_dim", .integer(width))]
        case .imageTower(let vision, let width):
            let isSigLIP = vision.pooling == .attention
            let kind: SingleTower = isSigLIP ? .sigLIPVision : .clipVision
            name = isSigLIP ? "SiglipVisionModel" : "CLIPVisionModel" + (vision.hasProjection ? "WithProjection" : "")
            members =
                vision.huggingFaceMembers(kind.rawValue)
                + [isSigLIP ? .init("vision_use_head", true) : .init("projection_dim", .integer(width))]
        case .dualEncoder, .sentenceEncoder, .coca: return .object([])
        }
        return .object([.init("architectures", .array([.string(name)])), .init("dtype", "float32")] + members)
    }
}
