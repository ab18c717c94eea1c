import ConcordCore

extension DualEncoderConfiguration {
    /// Reads the `model_cfg` of an `open_clip_config.json`, which is also what open_clip's own `model_configs` hold.
    ///
    /// Follows `model.py` of open_clip 3.3. Supported are its vision transformers, SigLIP's of timm, its text
    /// transformer, and text towers of the BERT family. A member that would change the model in a way that is not
    /// supported is refused by name, and so is one that is not known; what matters for training only is passed over.
    ///
    /// - Parameters:
    ///   - json: the object.
    ///   - path: its name in errors.
    ///   - folder: where `config.json` of a text tower that is named, as `hf_model_name`, may lie: in a folder of that
    ///     name within, or beside. Sizes of some published towers are known without.
    /// - Throws: `.invalidConfiguration`, or `.fileSystem` and `.malformedText` for the text tower's file.
    package init(openCLIP json: JSONValue, path: String, folder: String? = nil) throws(ConcordError) {
        let fields = try JSONFields(json, path: path)
        try fields.refuse("multimodal_cfg", "this is a CoCa, which captions, too, and no dual encoder")
        try fields.refuseUnknown([
            "embed_dim", "vision_cfg", "text_cfg", "quick_gelu", "custom_text", "init_logit_scale", "init_logit_bias",
            "multimodal_cfg",
            // Harmless: the file shows the shape of the scale, the others are a matter of running.
            "nonscalar_logit_scale", "cast_dtype", "output_dict",
        ])
        for name in ["vision_cfg", "text_cfg"] where fields[name] == nil { throw fields.failure(name, "is missing") }
        let isQuick = try fields.boolean("quick_gelu", default: false)
        let embeddingWidth = try fields.integer("embed_dim")
        let text = try fields.object("text_cfg"), vision = try fields.object("vision_cfg")
        try vision.refuse("attentional_pool", "only CoCa has it")
        try text.refuse("embed_cls", "only CoCa has a class token in texts")
        for tower in [text, vision] { try tower.refuse("output_tokens", "only CoCa needs it") }
        self.init(
            text: text["hf_model_name"] == nil
                ? .transformer(try .init(openCLIP: text, isQuick: isQuick))
                : .bert(try .init(openCLIP: text, embeddingWidth: embeddingWidth, folder: folder)),
            vision: try .init(openCLIP: vision, isQuick: isQuick),
            projectionWidth: embeddingWidth,
            initialLogitScale: try fields.number("init_logit_scale", default: Self.clipLogitScale),
            initialLogitBias: try fields.optionalNumber("init_logit_bias"))
        try validate(path: path)
    }
}

extension JSONFields {
    /// Blocks that are not OpenAI's, in either tower.
    static var otherBlocks: [String] {
        ["block_type", "qk_norm", "scaled_cosine_attn", "scale_heads", "scale_attn_inner", "scale_attn", "scale_fc"]
    }

    func refuseOtherBlocks() throws(ConcordError) {
        for name in Self.otherBlocks {
            try refuse(name, allowing: name == "block_type" ? ["default"] : [], "only plain blocks are supported")
        }
    }

    /// The activation of open_clip's own towers.
    fileprivate func openCLIPActivation(isQuick: Bool) throws(ConcordError) -> Activation {
        let options = try object("act_kwargs")
        try options.refuseUnknown(["approximate"])
        guard options["approximate"] != nil else { return isQuick ? .quickGELU : .gelu }
        guard !isQuick else { throw failure("act_kwargs", "has an approximation, which QuickGELU cannot have") }
        let form = try options.string("approximate")
        guard form == "tanh" || form == "none" else {
            throw options.failure("approximate", "is `\(form)`; known are: tanh, none")
        }
        return form == "tanh" ? .tanhGELU : .gelu
    }

    fileprivate func openCLIPEpsilon() throws(ConcordError) -> Double {
        let options = try object("norm_kwargs")
        try options.refuseUnknown(["eps"])
        return try options.number("eps", default: 1e-5)
    }

    fileprivate func intermediateWidth(of width: Int) throws(ConcordError) -> Int {
        let ratio = try number("mlp_ratio", default: 4)
        guard let product = Int(exactly: (Double(width) * ratio).rounded(.down)) else {
            throw failure("mlp_ratio", "is \(ratio)")
        }
        return product
    }
}

extension VisionTransformerConfiguration {
    init(openCLIP fields: JSONFields, isQuick: Bool) throws(ConcordError) {
        try fields.refuseUnknown(
            [
                "layers", "width", "head_width", "mlp_ratio", "patch_size", "image_size", "ls_init_value",
                "attentional_pool", "attn_pooler_queries", "attn_pooler_heads", "no_ln_pre", "pos_embed_type",
                "final_ln_after_pool", "pool_type", "output_tokens", "act_kwargs", "norm_kwargs", "timm_model_name",
                "timm_pool", "timm_proj", "timm_proj_bias",
                // Harmless: training alone knows them.
                "patch_dropout", "timm_model_pretrained", "timm_drop", "timm_drop_path",
            ] + JSONFields.otherBlocks)
        try fields.refuseOtherBlocks()
        if fields["timm_model_name"] != nil {
            try self.init(timm: fields)
        } else {
            try self.init(own: fields, isQuick: isQuick)
        }
    }

    private init(own fields: JSONFields, isQuick: Bool) throws(ConcordError) {
        guard fields["layers"]?.elements == nil else {
            throw fields.failure("layers", "is a list: ResNets are not supported, only vision transformers")
        }
        let width = try fields.integer("width", default: 768)
        let headWidth = try fields.integer("head_width", default: 64, in: 1...Int.max)
        self.init(
            width: width, intermediateWidth: try fields.intermediateWidth(of: width),
            layers: try fields.integer("layers", default: 12), heads: width / headWidth,
            imageSize: try fields.side("image_size", default: 224),
            patchSize: try fields.side("patch_size", default: 16),
            activation: try fields.openCLIPActivation(isQuick: isQuick),
            layerNormEpsilon: try fields.openCLIPEpsilon())
        hasPreNorm = try !fields.boolean("no_ln_pre", default: false)
        layerScale = try fields.optionalNumber("ls_init_value")
        let positions = try fields.string("pos_embed_type", default: "learnable")
        guard ["learnable", "sin_cos_2d"].contains(positions) else {
            throw fields.failure("pos_embed_type", "is `\(positions)`; known are: learnable, sin_cos_2d")
        }
        hasFixedPositions = positions == "sin_cos_2d"
        switch try fields.string("pool_type", default: "tok") {
        case "tok": pooling = .classToken
        case "avg": pooling = .average
        case "none": pooling = .none
        case let other: throw fields.failure("pool_type", "is `\(other)`; known are: tok, avg, none")
        }
        // A norm works on each token alone: only for a mean does it matter which comes first.
        let normalizesLast = try fields.boolean("final_ln_after_pool", default: false)
        normalizesAfterPooling = normalizesLast && pooling == .average
    }

    private init(timm fields: JSONFields) throws(ConcordError) {
        let name = try fields.string("timm_model_name")
        guard let configuration = TimmVisionTransformer.configuration(named: name) else {
            let known = TimmVisionTransformer.all.map(\.name).joined(separator: ", ")
            throw fields.failure("timm_model_name", "is `\(name)`; of timm's towers these are supported: \(known)")
        }
        self = configuration
        let pooling = try fields.string("timm_pool", default: "avg")
        guard pooling == "map" else {
            throw fields.failure("timm_pool", "is `\(pooling)`; SigLIP's towers pool by `map`")
        }
        // Null puts a classifier with a bias there.
        let projection = fields.holdsNull("timm_proj") ? "null" : try fields.string("timm_proj", default: "linear")
        guard ["none", "linear"].contains(projection) else {
            throw fields.failure("timm_proj", "is `\(projection)`; supported are: none, linear")
        }
        try fields.refuse("timm_proj_bias", "a projection with a bias is not supported")
        hasProjection = projection == "linear"
        let side = try fields.side("image_size", default: 224)
        guard side == imageSize else {
            throw fields.failure("image_size", "is \(side), but `\(name)` takes images of \(imageSize)")
        }
    }
}

extension TextTransformerConfiguration {
    init(openCLIP fields: JSONFields, isQuick: Bool) throws(ConcordError) {
        try fields.refuseUnknown(
            [
                "context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio", "ls_init_value", "embed_cls",
                "correct_cls_mask", "pad_id", "eos_id", "no_causal_mask", "pool_type", "proj_bias", "proj_type",
                "output_tokens",
                "act_kwargs", "norm_kwargs",
                // The tokenizer's.
                "hf_tokenizer_name", "tokenizer_mode", "tokenizer_kwargs",
                // Harmless: open_clip does not hand the first on, and the others are for a tower of transformers.
                "final_ln_after_pool", "hf_model_name", "hf_model_pretrained", "hf_proj_type", "hf_pooler_type",
            ] + JSONFields.otherBlocks)
        try fields.refuseOtherBlocks()
        let width = try fields.integer("width", default: 512)
        let vocabulary = try fields.integer("vocab_size", default: 49408)
        // open_clip's configurations leave special tokens to the tokenizer; CLIP's are the last two.
        self.init(
            vocabularySize: vocabulary, width: width, intermediateWidth: try fields.intermediateWidth(of: width),
            layers: try fields.integer("layers", default: 12), heads: try fields.integer("heads", default: 8),
            contextLength: try fields.integer("context_length", default: 77),
            activation: try fields.openCLIPActivation(isQuick: isQuick),
            layerNormEpsilon: try fields.openCLIPEpsilon(), padToken: try fields.integer("pad_id", default: 0),
            startToken: vocabulary - 2, endToken: vocabulary - 1, pooling: .argmax)
        switch try fields.string("pool_type", default: "argmax") {
        case "first": pooling = .first
        case "last": pooling = .last
        case "argmax": pooling = .argmax
        case "eos":
            pooling = .firstEndToken
            endToken = try fields.integer("eos_id", default: 2)
        case let other: throw fields.failure("pool_type", "is `\(other)`; known are: first, last, argmax, eos")
        }
        isCausal = try !fields.boolean("no_causal_mask", default: false)
        layerScale = try fields.optionalNumber("ls_init_value")
        let hasBias = try fields.boolean("proj_bias", default: false)
        switch try fields.string("proj_type", default: "linear") {
        case "linear": projection = hasBias ? .linearWithBias : .linear
        case "none": projection = .none
        case let other: throw fields.failure("proj_type", "is `\(other)`; known are: linear, none")
        }
    }
}

extension BERTConfiguration {
    fileprivate init(
        openCLIP fields: JSONFields, embeddingWidth: Int, folder: String?
    ) throws(ConcordError) {
        self = try Self.named(try fields.string("hf_model_name"), folder: folder, fields)
        contextLength = try fields.integer("context_length", default: 77)
        switch try fields.string("hf_pooler_type", default: "mean_pooler") {
        case "mean_pooler": pooling = .mean
        case "cls_pooler": pooling = .pooler
        case "cls_last_hidden_state_pooler": pooling = .cls
        case let other:
            throw fields.failure(
                "hf_pooler_type",
                "is `\(other)`; known are: mean_pooler, cls_pooler, cls_last_hidden_state_pooler")
        }
        // open_clip leaves the dense layer out where it does not read it.
        hasPooler = pooling == .pooler
        if fields.holdsNull("hf_proj_type") {
            guard width == embeddingWidth else {
                throw fields.failure(
                    "hf_proj_type", "is null, but \(width) channels must become \(embeddingWidth)")
            }
            return
        }
        switch try fields.string("hf_proj_type", default: "mlp") {
        case "linear": projection = .linear
        case "mlp": projection = .perceptron
        case let other: throw fields.failure("hf_proj_type", "is `\(other)`; known are: linear, mlp")
        }
    }

    /// The text tower that a configuration names as open_clip does: a model of the hub, or a folder.
    private static func named(
        _ name: String, folder: String?, _ fields: JSONFields
    ) throws(ConcordError) -> BERTConfiguration {
        // A name that leads out of the model's folder is no place to look at.
        let isWithin = !name.hasPrefix("/") && !name.split(separator: "/").contains("..")
        let beside = folder.map { [isWithin ? $0 + "/" + name + "/config.json" : nil, $0 + "/config.json"] } ?? []
        for path in beside.compactMap({ $0 }) where Files.exists(path) {
            let json = try JSONValue(contentsOf: path, nonFiniteNumbers: true)
            // The file beside may be that of the whole model.
            guard let kind = json["model_type"]?.string, Family(rawValue: kind) != nil else { continue }
            return try BERTConfiguration(huggingFace: json, path: path)
        }
        if let published = BERTConfiguration(publishedName: name) { return published }
        throw fields.failure(
            "hf_model_name",
            "is `\(name)`, whose sizes are in its own config.json; put that file into the folder `\(name)` within the "
                + "model's. Supported are BERT, RoBERTa and XLM-RoBERTa")
    }
}

/// The vision towers of SigLIP that open_clip takes from timm, by whose name alone a configuration gives their sizes.
///
/// Follows `models/vision_transformer.py` of timm 1.0.
enum TimmVisionTransformer {
    private struct Size {
        let name: String
        let width, intermediateWidth, layers: Int
        var heads = 16
    }

    private static let sizes = [
        Size(name: "base", width: 768, intermediateWidth: 3072, layers: 12, heads: 12),
        Size(name: "large", width: 1024, intermediateWidth: 4096, layers: 24),
        Size(name: "so400m", width: 1152, intermediateWidth: 4304, layers: 27),
        Size(name: "giantopt", width: 1536, intermediateWidth: 6144, layers: 40),
    ]

    /// Patch and image sizes, and the activation; the published weights of either SigLIP share a name.
    private static let variants: [(name: String, patchSize: Int, imageSize: Int, activation: Activation)] = [
        ("base", 32, 256, .tanhGELU), ("base", 16, 224, .gelu), ("base", 16, 256, .gelu), ("base", 16, 384, .gelu),
        ("base", 16, 512, .gelu), ("large", 16, 256, .gelu), ("large", 16, 384, .gelu), ("large", 16, 512, .tanhGELU),
        ("so400m", 14, 224, .gelu), ("so400m", 14, 378, .gelu), ("so400m", 14, 384, .gelu),
        ("so400m", 16, 256, .tanhGELU), ("so400m", 16, 384, .tanhGELU), ("so400m", 16, 512, .tanhGELU),
        ("giantopt", 16, 256, .tanhGELU), ("giantopt", 16, 384, .tanhGELU),
    ]

    /// All towers and their names.
    static let all: [(name: String, configuration: VisionTransformerConfiguration)] = variants.compactMap { variant in
        guard let size = sizes.first(where: { $0.name == variant.name }) else { return nil }
        var configuration = VisionTransformerConfiguration(
            width: size.width, intermediateWidth: size.intermediateWidth, layers: size.layers, heads: size.heads,
            imageSize: variant.imageSize, patchSize: variant.patchSize, activation: variant.activation,
            layerNormEpsilon: 1e-6)
        configuration.becomeSigLIP()
        return ("vit_\(variant.name)_patch\(variant.patchSize)_siglip_\(variant.imageSize)", configuration)
    }

    /// The tower of that name, of which a tag behind a point says where weights come from; nil for another.
    static func configuration(named name: String) -> VisionTransformerConfiguration? {
        let plain = name.prefix { $0 != "." }
        return all.first { $0.name == plain }?.configuration
    }

    /// The name of a tower; nil when timm has none such.
    static func name(of configuration: VisionTransformerConfiguration) -> String? {
        var plain = configuration
        plain.hasProjection = false
        return all.first { $0.configuration == plain }?.name
    }
}
