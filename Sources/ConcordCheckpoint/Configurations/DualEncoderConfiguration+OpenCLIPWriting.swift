import ConcordCore

extension DualEncoderConfiguration {
    /// The `open_clip_config.json` that open_clip 3.3 reads back as the same model, but for ids of special tokens that
    /// no model reads.
    ///
    /// - Parameters:
    ///   - preprocessing: the `preprocess_cfg`.
    ///   - tokenizer: members of `text_cfg` for the tokenizer: `hf_tokenizer_name`, `tokenizer_kwargs`.
    ///   - textModel: hub name or path under which transformers finds the configuration of a BERT tower, for
    ///     `hf_model_name`; nil takes the name of a published one with these sizes.
    /// - Throws: `.invalidConfiguration` for a model that open_clip has no class for, saying what stands in the way.
    package func openCLIPJSON(
        preprocessing: JSONValue, tokenizer: [JSONValue.Member] = [], textModel: String? = nil
    ) throws(ConcordError) -> JSONValue {
        func refuse(_ isObstacle: Bool, _ obstacle: @autoclosure () -> String) throws(ConcordError) {
            guard isObstacle else { return }
            throw ConcordError(.invalidConfiguration, "open_clip has no class for this model: \(obstacle())")
        }
        try refuse(vision.queryPooling != nil, "only CoCa's images are pooled by queries")
        if case .transformer(let text) = text {
            try refuse(text.classTokenMask != nil, "only CoCa's texts have a class token")
        }
        var model: [JSONValue.Member] = [.init("embed_dim", .integer(projectionWidth))]
        let visionMembers: [JSONValue.Member]
        if vision.pooling == .attention {
            guard let name = TimmVisionTransformer.name(of: vision) else {
                throw ConcordError(
                    .invalidConfiguration,
                    "open_clip has no class for this model: timm has no SigLIP tower of these sizes and this activation"
                )
            }
            visionMembers = [
                .init("image_size", .integer(vision.imageSize)), .init("timm_model_name", .string(name)),
                .init("timm_model_pretrained", false), .init("timm_pool", "map"),
                .init("timm_proj", vision.hasProjection ? "linear" : "none"),
            ]
        } else {
            try refuse(!vision.hasClassToken, "its vision tower has no class token")
            try refuse(vision.hasPatchBias, "its patch embedding has a bias")
            try refuse(!vision.hasProjection, "its vision tower has no projection")
            try refuse(vision.channels != 3, "its images have \(vision.channels) channels")
            visionMembers = ownVisionMembers
        }
        var textMembers: [JSONValue.Member]
        switch text {
        case .transformer(let text): textMembers = self.textMembers(text)
        case .bert(let text):
            try refuse(text.pooling == .max, "open_clip's `max_pooler` does not run")
            try refuse(
                text.projection == .none && text.width != projectionWidth,
                "its BERT tower has no projection to \(projectionWidth) channels")
            try refuse(
                text.hasPooler && text.pooling != .pooler,
                "its BERT tower has a pooler that it does not use; leave it out")
            guard let name = textModel ?? text.publishedName else {
                throw ConcordError(
                    .invalidConfiguration,
                    "open_clip wants the name of a text tower with these sizes: give the hub name or the path of one")
            }
            textMembers = bertMembers(text, name: name)
        }
        let quick = ownActivations.map { $0 == .quickGELU }
        try refuse(Set(quick).count > 1, "one of its towers has QuickGELU and the other has not")
        if quick.contains(true) { model.append(.init("quick_gelu", true)) }
        if vision.pooling == .attention { model.append(.init("custom_text", true)) }
        if initialLogitScale != Self.clipLogitScale {
            model.append(.init("init_logit_scale", .number(initialLogitScale)))
        }
        if let initialLogitBias { model.append(.init("init_logit_bias", .number(initialLogitBias))) }
        textMembers += tokenizer
        model += [.init("vision_cfg", .object(visionMembers)), .init("text_cfg", .object(textMembers))]
        return ["model_cfg": .object(model), "preprocess_cfg": preprocessing]
    }

    /// The activations of the towers that open_clip builds itself; those of timm and transformers know their own.
    private var ownActivations: [Activation] {
        var activations = [Activation]()
        if vision.pooling != .attention { activations.append(vision.activation) }
        if case .transformer(let text) = text { activations.append(text.activation) }
        return activations
    }

    private var ownVisionMembers: [JSONValue.Member] {
        var members: [JSONValue.Member] = [
            .init("image_size", .integer(vision.imageSize)), .init("layers", .integer(vision.layers)),
            .init("width", .integer(vision.width)), .init("head_width", .integer(vision.width / vision.heads)),
            .init("patch_size", .integer(vision.patchSize)),
        ]
        members += Self.shared(
            width: vision.width, intermediateWidth: vision.intermediateWidth, layerScale: vision.layerScale,
            activation: vision.activation, epsilon: vision.layerNormEpsilon)
        if !vision.hasPreNorm { members.append(.init("no_ln_pre", true)) }
        if vision.hasFixedPositions { members.append(.init("pos_embed_type", "sin_cos_2d")) }
        if vision.normalizesAfterPooling { members.append(.init("final_ln_after_pool", true)) }
        switch vision.pooling {
        case .average: members.append(.init("pool_type", "avg"))
        case .none: members.append(.init("pool_type", "none"))
        case .classToken, .attention: break
        }
        return members
    }

    private func textMembers(_ text: TextTransformerConfiguration) -> [JSONValue.Member] {
        var members: [JSONValue.Member] = [
            .init("context_length", .integer(text.contextLength)), .init("vocab_size", .integer(text.vocabularySize)),
            .init("width", .integer(text.width)), .init("heads", .integer(text.heads)),
            .init("layers", .integer(text.layers)),
        ]
        members += Self.shared(
            width: text.width, intermediateWidth: text.intermediateWidth, layerScale: text.layerScale,
            activation: text.activation, epsilon: text.layerNormEpsilon)
        if text.padToken != 0 { members.append(.init("pad_id", .integer(text.padToken))) }
        if !text.isCausal { members.append(.init("no_causal_mask", true)) }
        switch text.pooling {
        case .argmax: break
        case .first: members.append(.init("pool_type", "first"))
        case .last: members.append(.init("pool_type", "last"))
        case .firstEndToken:
            members += [.init("pool_type", "eos"), .init("eos_id", .integer(text.endToken))]
        }
        switch text.projection {
        case .linear: break
        case .linearWithBias: members.append(.init("proj_bias", true))
        case .none: members.append(.init("proj_type", "none"))
        }
        return members
    }

    private func bertMembers(_ text: BERTConfiguration, name: String) -> [JSONValue.Member] {
        let pooler =
            switch text.pooling {
            case .pooler: "cls_pooler"
            case .cls: "cls_last_hidden_state_pooler"
            case .mean, .max: "mean_pooler"
            }
        let projection: JSONValue =
            switch text.projection {
            case .none: .null
            case .linear: "linear"
            case .perceptron: "mlp"
            }
        return [
            .init("context_length", .integer(text.contextLength)), .init("hf_model_name", .string(name)),
            .init("hf_proj_type", projection), .init("hf_pooler_type", .string(pooler)),
        ]
    }

    private static func shared(
        width: Int, intermediateWidth: Int, layerScale: Double?, activation: Activation, epsilon: Double
    ) -> [JSONValue.Member] {
        var members = [JSONValue.Member]()
        if intermediateWidth != 4 * width {
            // open_clip cuts the product off; a quotient that was rounded down must not lose a channel there.
            let quotient = Double(intermediateWidth) / Double(width)
            let ratio = Int(Double(width) * quotient) == intermediateWidth ? quotient : quotient.nextUp
            members.append(.init("mlp_ratio", .number(ratio)))
        }
        if let layerScale { members.append(.init("ls_init_value", .number(layerScale))) }
        if activation == .tanhGELU { members.append(.init("act_kwargs", ["approximate": "tanh"])) }
        if epsilon != 1e-5 { members.append(.init("norm_kwargs", ["eps": .number(epsilon)])) }
        return members
    }
}
