import ConcordCore

extension DualEncoderConfiguration {
    /// The `config.json` that transformers' `CLIPModel`, `SiglipModel` or `VisionTextDualEncoderModel` reads back as
    /// the same model.
    ///
    /// - Throws: `.invalidConfiguration` for a model that transformers has no class for, saying what stands in the way.
    package func huggingFaceJSON() throws(ConcordError) -> JSONValue {
        if let obstacle = huggingFaceObstacle {
            throw ConcordError(
                .invalidConfiguration,
                "transformers has no class for this model: \(obstacle); keep Concord's own format, or convert it to "
                    + "open_clip's")
        }
        return transformersJSON
    }

    /// The `config.json` of a model folder: transformers' where it has a class for the model, Concord's own otherwise.
    package func configurationJSON() -> JSONValue {
        huggingFaceObstacle == nil ? transformersJSON : ownJSON
    }

    /// Concord's own form, with all that transformers' lacks.
    var ownJSON: JSONValue {
        let textJSON: [JSONValue.Member] =
            switch text {
            case .bert(let text): text.ownMembers
            case .transformer(let text):
                text.huggingFaceMembers("clip_text_model", endToken: text.endToken) + [
                    .init("pooling", .string(text.pooling.rawValue)),
                    .init("projection", .string(text.projection.rawValue)), .init("is_causal", .bool(text.isCausal)),
                    .init("layer_scale_init_value", text.layerScale.map(JSONValue.number) ?? .null),
                ]
            }
        let visionJSON =
            vision.huggingFaceMembers("clip_vision_model") + [
                .init("has_class_token", .bool(vision.hasClassToken)),
                .init("has_patch_bias", .bool(vision.hasPatchBias)), .init("has_pre_norm", .bool(vision.hasPreNorm)),
                .init("has_fixed_positions", .bool(vision.hasFixedPositions)),
                .init("layer_scale_init_value", vision.layerScale.map(JSONValue.number) ?? .null),
                .init("pooling", .string(vision.pooling.rawValue)),
                .init("normalizes_after_pooling", .bool(vision.normalizesAfterPooling)),
                .init("has_projection", .bool(vision.hasProjection)),
            ]
        return common(nil, Self.ownModelType, text: textJSON, vision: visionJSON, hasWidth: true)
    }

    private var transformersJSON: JSONValue {
        switch text {
        case .bert(let text):
            return common(
                "VisionTextDualEncoderModel", "vision-text-dual-encoder", text: text.huggingFaceMembers,
                vision: vision.huggingFaceMembers("clip_vision_model"), hasWidth: true)
        case .transformer(let text) where vision.pooling == .attention:
            return common(
                "SiglipModel", "siglip",
                text: text.huggingFaceMembers("siglip_text_model") + [
                    .init("projection_size", .integer(projectionWidth))
                ],
                vision: vision.huggingFaceMembers("siglip_vision_model") + [.init("vision_use_head", true)],
                hasWidth: false)
        case .transformer(let text):
            return common(
                "CLIPModel", "clip",
                text: text.huggingFaceMembers("clip_text_model") + [.init("projection_dim", .integer(projectionWidth))],
                vision: vision.huggingFaceMembers("clip_vision_model") + [
                    .init("projection_dim", .integer(projectionWidth))
                ],
                hasWidth: true)
        }
    }

    /// Why no class of transformers computes what this model does; nil when one does.
    private var huggingFaceObstacle: String? {
        let isSigLIP = vision.pooling == .attention
        switch text {
        case .bert(let text):
            if isSigLIP { return "a BERT text tower goes with CLIP's vision tower only" }
            if text.pooling != .pooler { return "its BERT tower pools by `\(text.pooling.rawValue)`, not its pooler" }
            if text.projection != .linear { return "the projection of its BERT tower is not one matrix" }
            if text.contextLength != text.longestText { return "it reads shorter texts than its BERT tower could" }
        case .transformer(let text):
            if text.layerScale != nil { return "its text tower has layer scale" }
            if text.isCausal == isSigLIP {
                return "its text tower is \(text.isCausal ? "" : "not ")causal, and its vision tower of the other kind"
            }
            if isSigLIP {
                if text.pooling != .last { return "SigLIP's text tower pools the last token" }
                if text.projection != .linearWithBias { return "SigLIP's text projection has a bias" }
            } else {
                if text.pooling != .argmax, text.pooling != .firstEndToken || text.endToken == 2 {
                    return "CLIP's text tower does not pool by `\(text.pooling.rawValue)`"
                }
                if text.projection != .linear { return "CLIP's text projection has no bias" }
            }
        }
        if isSigLIP != (initialLogitBias != nil) { return "SigLIP's logits have a bias, all others' have none" }
        return visionObstacle
    }

    private var visionObstacle: String? {
        var known = VisionTransformerConfiguration()
        if vision.pooling == .attention { known.becomeSigLIP() }
        if vision.pooling != known.pooling { return "its vision tower pools by `\(vision.pooling.rawValue)`" }
        if vision.hasClassToken != known.hasClassToken { return "its vision tower has the class token of another kind" }
        if vision.hasPatchBias != known.hasPatchBias { return "its patch embedding has the bias of another kind" }
        if vision.hasPreNorm != known.hasPreNorm { return "its vision tower has the first norm of another kind" }
        if vision.hasProjection != known.hasProjection { return "its vision tower has the projection of another kind" }
        if vision.hasFixedPositions { return "its vision tower has fixed positions" }
        if vision.layerScale != nil { return "its vision tower has layer scale" }
        return nil
    }

    private func common(
        _ className: String?, _ modelType: String, text: [JSONValue.Member], vision: [JSONValue.Member], hasWidth: Bool
    ) -> JSONValue {
        var members = [JSONValue.Member]()
        if let className { members.append(.init("architectures", .array([.string(className)]))) }
        members.append(.init("model_type", .string(modelType)))
        if hasWidth { members.append(.init("projection_dim", .integer(projectionWidth))) }
        members.append(.init("logit_scale_init_value", .number(initialLogitScale)))
        if let initialLogitBias { members.append(.init("logit_bias_init_value", .number(initialLogitBias))) }
        members += [
            .init("dtype", "float32"), .init("text_config", .object(text)), .init("vision_config", .object(vision)),
        ]
        return .object(members)
    }
}

extension TextTransformerConfiguration {
    /// The members that transformers writes for a tower.
    ///
    /// - Parameter endToken: nil writes what transformers takes for the pooling: 2 means the largest id.
    func huggingFaceMembers(_ modelType: String, endToken: Int? = nil) -> [JSONValue.Member] {
        [
            .init("model_type", .string(modelType)),
            .init("vocab_size", .integer(vocabularySize)),
            .init("hidden_size", .integer(width)),
            .init("intermediate_size", .integer(intermediateWidth)),
            .init("num_hidden_layers", .integer(layers)),
            .init("num_attention_heads", .integer(heads)),
            .init("max_position_embeddings", .integer(contextLength)),
            .init("hidden_act", .string(activation.rawValue)),
            .init("layer_norm_eps", .number(layerNormEpsilon)),
            .init("attention_dropout", 0.0),
            .init("pad_token_id", .integer(padToken)),
            .init("bos_token_id", .integer(startToken)),
            .init("eos_token_id", .integer(endToken ?? (pooling == .argmax ? 2 : self.endToken))),
        ]
    }
}

extension VisionTransformerConfiguration {
    /// The members that transformers writes for a tower.
    func huggingFaceMembers(_ modelType: String) -> [JSONValue.Member] {
        [
            .init("model_type", .string(modelType)),
            .init("hidden_size", .integer(width)),
            .init("intermediate_size", .integer(intermediateWidth)),
            .init("num_hidden_layers", .integer(layers)),
            .init("num_attention_heads", .integer(heads)),
            .init("num_channels", .integer(channels)),
            .init("image_size", .integer(imageSize)),
            .init("patch_size", .integer(patchSize)),
            .init("hidden_act", .string(activation.rawValue)),
            .init("layer_norm_eps", .number(layerNormEpsilon)),
            .init("attention_dropout", 0.0),
        ]
    }
}
