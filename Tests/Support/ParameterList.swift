import ConcordCheckpoint

/// The parameters that a configuration's model has, by name and shape, without making the model.
///
/// Written apart from the layers, which spell the keys where they are made, so that tests can hold the two together.
struct ParameterList {
    private(set) var keys: [KeyReport.Key] = []

    mutating func add(_ name: String, _ shape: Int...) { keys.append(.init(name, shape)) }

    mutating func linear(_ name: String, _ inputs: Int, _ outputs: Int, hasBias: Bool = true) {
        add(name + ".weight", outputs, inputs)
        if hasBias { add(name + ".bias", outputs) }
    }

    mutating func norm(_ name: String, _ width: Int) {
        add(name + ".weight", width)
        add(name + ".bias", width)
    }

    /// The pre-norm blocks of CLIP and SigLIP.
    mutating func blocks(
        _ scope: String, width: Int, hidden: Int, layers: Int, hasScale: Bool, looksAtContext: Bool = false
    ) {
        for layer in 0..<layers {
            let block = scope + ".\(layer)."
            norm(block + "layer_norm1", width)
            if looksAtContext { norm(block + "context_norm", width) }
            let attention = block + (looksAtContext ? "cross_attn." : "self_attn.")
            for name in ["q_proj", "k_proj", "v_proj", "out_proj"] { linear(attention + name, width, width) }
            norm(block + "layer_norm2", width)
            linear(block + "mlp.fc1", width, hidden)
            linear(block + "mlp.fc2", hidden, width)
            if hasScale {
                add(block + "layer_scale1.weight", width)
                add(block + "layer_scale2.weight", width)
            }
        }
    }

    mutating func vision(_ vision: VisionTransformerConfiguration) {
        let scope = "vision_model", embeddings = scope + ".embeddings.", width = vision.width
        add(embeddings + "patch_embedding.weight", width, vision.channels, vision.patchSize, vision.patchSize)
        if vision.hasPatchBias { add(embeddings + "patch_embedding.bias", width) }
        if vision.hasClassToken { add(embeddings + "class_embedding", width) }
        add(embeddings + "position_embedding.weight", vision.patchCount + (vision.hasClassToken ? 1 : 0), width)
        if vision.hasPreNorm { norm(scope + ".pre_layrnorm", width) }
        blocks(
            scope + ".encoder.layers", width: width, hidden: vision.intermediateWidth, layers: vision.layers,
            hasScale: vision.layerScale != nil)
        if let pooling = vision.queryPooling {
            let isJoint = pooling.layout == .joint
            pooler(scope + ".attention_pool", pooling.queries, width, pooling.width)
            norm(scope + ".post_layernorm", pooling.width)
            guard !isJoint else { return }
            let inputs = pooling.layout == .cascade ? pooling.width : width
            pooler(scope + ".contrastive_pool", 1, inputs, pooling.width)
            norm(scope + ".contrastive_layernorm", pooling.width)
            return
        }
        norm(scope + ".post_layernorm", width)
        guard vision.pooling == .attention else { return }
        let head = scope + ".head."
        add(head + "probe", 1, 1, width)
        for name in ["q_proj", "k_proj", "v_proj", "out_proj"] { linear(head + "attention." + name, width, width) }
        norm(head + "layernorm", width)
        linear(head + "mlp.fc1", width, vision.intermediateWidth)
        linear(head + "mlp.fc2", vision.intermediateWidth, width)
    }

    private mutating func pooler(_ scope: String, _ queries: Int, _ inputs: Int, _ width: Int) {
        add(scope + ".query", queries, width)
        norm(scope + ".query_norm", width)
        norm(scope + ".token_norm", inputs)
        for name in ["q_proj", "k_proj", "v_proj", "out_proj"] {
            linear(scope + ".attention." + name, name == "k_proj" || name == "v_proj" ? inputs : width, width)
        }
    }

    mutating func decoder(_ decoder: CaptionDecoderConfiguration, vocabulary: Int) {
        let scope = "text_decoder", width = decoder.width
        blocks(
            scope + ".layers", width: width, hidden: decoder.intermediateWidth, layers: decoder.layers,
            hasScale: decoder.layerScale != nil)
        blocks(
            scope + ".cross_layers", width: width, hidden: decoder.intermediateWidth, layers: decoder.layers,
            hasScale: decoder.layerScale != nil, looksAtContext: true)
        norm(scope + ".final_layer_norm", width)
        if !decoder.tiesLanguageHead { linear("language_head", width, vocabulary, hasBias: false) }
    }

    mutating func text(_ text: TextTransformerConfiguration) {
        let scope = "text_model", width = text.width
        add(scope + ".embeddings.token_embedding.weight", text.vocabularySize, width)
        add(scope + ".embeddings.position_embedding.weight", text.positions, width)
        if text.classTokenMask != nil { add(scope + ".embeddings.class_embedding", width) }
        blocks(
            scope + ".encoder.layers", width: width, hidden: text.intermediateWidth, layers: text.layers,
            hasScale: text.layerScale != nil)
        norm(scope + ".final_layer_norm", width)
    }

    /// - Parameter scope: what stands before each name, with its point.
    mutating func bert(_ text: BERTConfiguration, scope: String) {
        let width = text.width, embeddings = scope + "embeddings."
        add(embeddings + "word_embeddings.weight", text.vocabularySize, width)
        add(embeddings + "position_embeddings.weight", text.positions, width)
        add(embeddings + "token_type_embeddings.weight", text.tokenTypes, width)
        norm(embeddings + "LayerNorm", width)
        for layer in 0..<text.layers {
            let block = scope + "encoder.layer.\(layer)."
            for name in ["query", "key", "value"] { linear(block + "attention.self." + name, width, width) }
            linear(block + "attention.output.dense", width, width)
            norm(block + "attention.output.LayerNorm", width)
            linear(block + "intermediate.dense", width, text.intermediateWidth)
            linear(block + "output.dense", text.intermediateWidth, width)
            norm(block + "output.LayerNorm", width)
        }
        if text.hasPooler { linear(scope + "pooler.dense", width, width) }
    }

    /// - Parameter scope: what stands before each name, with its point.
    mutating func htsat(_ audio: HTSATConfiguration, scope: String) {
        let patches = scope + "patch_embed.", width = audio.patchWidth
        norm(scope + "batch_norm", audio.bins)
        add(patches + "proj.weight", width, 1, audio.patchSize, audio.patchSize)
        add(patches + "proj.bias", width)
        if audio.hasPatchNorm { norm(patches + "norm", width) }
        if audio.fusesLongClips {
            add(patches + "mel_conv2d.weight", width, 1, audio.patchSize, 3 * audio.patchSize)
            add(patches + "mel_conv2d.bias", width)
            for (branch, first) in [("local_att", 0), ("global_att", 1)] {
                let branch = patches + "fusion_model.\(branch).", inner = width / audio.fusionReduction
                for (index, (inputs, outputs)) in [(width, inner), (inner, width)].enumerated() {
                    add(branch + "\(first + 3 * index).weight", outputs, inputs, 1, 1)
                    add(branch + "\(first + 3 * index).bias", outputs)
                    norm(branch + "\(first + 3 * index + 1)", outputs)
                }
            }
        }
        for stage in audio.depths.indices {
            let width = width << stage, span = 2 * audio.windowSize - 1
            let inner = Int(audio.perceptronRatio * Double(width))
            for block in 0..<audio.depths[stage] {
                let block = scope + "layers.\(stage).blocks.\(block).", attention = block + "attention."
                norm(block + "layernorm_before", width)
                add(attention + "self.relative_position_bias_table", span * span, audio.heads[stage])
                for name in ["query", "key", "value"] {
                    linear(attention + "self." + name, width, width, hasBias: audio.hasAttentionBias)
                }
                linear(attention + "output.dense", width, width)
                norm(block + "layernorm_after", width)
                linear(block + "intermediate.dense", width, inner)
                linear(block + "output.dense", inner, width)
            }
            guard stage < audio.depths.count - 1 else { continue }
            let merging = scope + "layers.\(stage).downsample."
            add(merging + "reduction.weight", 2 * width, 4 * width)
            norm(merging + "norm", 4 * width)
        }
        norm(scope + "norm", audio.width)
    }

    mutating func textProjection(_ text: TextTowerConfiguration, _ outputs: Int) {
        let name = "text_projection", inputs = text.width
        switch text {
        case .transformer(let text):
            if text.projection != .none { linear(name, inputs, outputs, hasBias: text.projection == .linearWithBias) }
        case .bert(let text):
            switch text.projection {
            case .none: break
            case .linear: linear(name, inputs, outputs, hasBias: false)
            case .perceptron:
                let inner = (inputs + outputs) / 2
                linear(name + ".0", inputs, inner, hasBias: false)
                linear(name + ".2", inner, outputs, hasBias: false)
            }
        }
    }
}

extension DualEncoderConfiguration {
    /// The parameters of the model, in the order in which its layers are made.
    package var parameters: [KeyReport.Key] {
        var list = ParameterList()
        list.add("logit_scale")
        if initialLogitBias != nil { list.add("logit_bias") }
        switch text {
        case .transformer(let text): list.text(text)
        case .bert(let text): list.bert(text, scope: "text_model.")
        }
        list.vision(vision)
        if vision.hasProjection {
            list.linear("visual_projection", vision.width, projectionWidth, hasBias: false)
        }
        list.textProjection(text, projectionWidth)
        return list.keys
    }
}

extension CoCaConfiguration {
    /// The parameters of the model, in the order in which its layers are made.
    package var parameters: [KeyReport.Key] {
        var list = ParameterList()
        list.add("logit_scale")
        list.text(text)
        list.vision(vision)
        list.decoder(decoder, vocabulary: text.vocabularySize)
        if vision.hasProjection {
            list.linear("visual_projection", vision.pooledWidth, projectionWidth, hasBias: false)
        }
        list.textProjection(.transformer(text), projectionWidth)
        return list.keys
    }
}

extension CLAPConfiguration {
    /// The parameters of the model, in the order in which its layers are made.
    package var parameters: [KeyReport.Key] {
        var list = ParameterList()
        list.add("logit_scale_a")
        list.add("logit_scale_t")
        list.bert(text, scope: "text_model.")
        list.linear("text_projection.linear1", text.width, projectionWidth)
        list.linear("text_projection.linear2", projectionWidth, projectionWidth)
        list.htsat(audio, scope: "audio_model.audio_encoder.")
        list.linear("audio_projection.linear1", audio.width, projectionWidth)
        list.linear("audio_projection.linear2", projectionWidth, projectionWidth)
        return list.keys
    }
}

extension WhisperEncoderConfiguration {
    /// The parameters of the tower, in the order in which its layers are made.
    package var parameters: [KeyReport.Key] {
        var list = ParameterList()
        for (name, inputs) in [("conv1", bins), ("conv2", width)] {
            list.add("audio_model.\(name).weight", width, inputs, 3)
            list.add("audio_model.\(name).bias", width)
        }
        list.add("audio_model.embed_positions.weight", positions, width)
        list.blocks("audio_model.layers", width: width, hidden: intermediateWidth, layers: layers, hasScale: false)
        list.norm("audio_model.layer_norm", width)
        return list.keys.filter { !$0.name.hasSuffix("k_proj.bias") }
    }
}

extension ASTConfiguration {
    /// The parameters of the tower, in the order in which its layers are made.
    package var parameters: [KeyReport.Key] {
        var list = ParameterList()
        let embeddings = "audio_model.embeddings."
        for token in ["cls_token", "distillation_token"] { list.add(embeddings + token, 1, 1, width) }
        list.add(embeddings + "position_embeddings", 1, patchCount + 2, width)
        list.add(embeddings + "patch_embeddings.projection.weight", width, 1, patchSize, patchSize)
        list.add(embeddings + "patch_embeddings.projection.bias", width)
        list.blocks("audio_model.layers", width: width, hidden: intermediateWidth, layers: layers, hasScale: false)
        list.norm("audio_model.layer_norm", width)
        guard !hasAttentionBias else { return list.keys }
        return list.keys.filter { key in !["q", "k", "v"].contains { key.name.hasSuffix("\($0)_proj.bias") } }
    }
}

extension BERTConfiguration {
    /// The parameters of the tower alone, without a projection, in the order in which its layers are made.
    package var parameters: [KeyReport.Key] {
        var list = ParameterList()
        list.bert(self, scope: "")
        return list.keys
    }
}

extension ModelFolder {
    /// The model's parameters by its own names, known without reading the weights.
    package var parameters: [KeyReport.Key] {
        switch architecture {
        case .dualEncoder(let configuration): configuration.parameters
        case .sentenceEncoder(let configuration): configuration.parameters
        case .coca(let configuration): configuration.parameters
        case .tripleEncoder: preconditionFailure("no golden folder holds three towers")
        case .textTower(let text, let width): Self.parameters(text, width: width)
        case .imageTower(let vision, let width): Self.parameters(vision, width: width)
        case .clap(let configuration): configuration.parameters
        case .whisperEncoder(let configuration): configuration.parameters
        case .ast(let configuration): configuration.parameters
        case .fused: preconditionFailure("no golden folder holds a fused model")
        }
    }

    private static func parameters(_ text: TextTransformerConfiguration, width: Int) -> [KeyReport.Key] {
        var list = ParameterList()
        list.text(text)
        list.textProjection(.transformer(text), width)
        return list.keys
    }

    private static func parameters(_ vision: VisionTransformerConfiguration, width: Int) -> [KeyReport.Key] {
        var list = ParameterList()
        list.vision(vision)
        if vision.hasProjection { list.linear("visual_projection", vision.width, width, hasBias: false) }
        return list.keys
    }
}
