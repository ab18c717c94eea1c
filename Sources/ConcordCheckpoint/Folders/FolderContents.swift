import ConcordCore

/// The contents of a model folder, gathered while it is read.
struct FolderContents {
    let path: String
    private(set) var architecture: ModelFolder.Architecture
    private(set) var layout: CheckpointLayout
    let weights: String
    var tokenizer: TokenizerSource
    /// The document, where the folder is one of open_clip.
    private let openCLIP: JSONValue?

    static let openCLIPName = "open_clip_config.json"

    /// Whether there are readable weights; a folder may have only a configuration, or unsupported weights.
    var hasWeights: Bool { weights.hasSuffix(".safetensors") || CheckpointReader.holdsWeights(weights) }

    init(_ path: String, manifest: ModelManifest?) throws(ConcordError) {
        self.path = path
        let config = path + "/config.json", openCLIPPath = path + "/" + Self.openCLIPName
        // A bare `nil` would be JSON's.
        let document = Files.exists(openCLIPPath) ? try Self.read(openCLIPPath) : Optional.none
        openCLIP = document
        let modelType = Files.exists(config) ? try Self.modelType(config) : nil
        let isBERT = modelType.map { BERTConfiguration.Family(rawValue: $0) != nil } ?? false
        if modelType == CoCaConfiguration.ownModelType {
            let configuration = try CoCaConfiguration(own: Self.read(config), path: config)
            (architecture, layout) = (.coca(configuration), .huggingFace)
            (weights, tokenizer) = (path, TokenizerSource(folder: path))
        } else if let document, modelType == nil || isBERT || !CheckpointReader.holdsWeights(path) {
            // With open_clip's file beside it, the configuration of a BERT is that of its text tower.
            (architecture, layout, tokenizer) = try Self.openCLIP(document, openCLIPPath, path, manifest)
            let files = CheckpointReader.openCLIPNames.map { path + "/" + $0 }
            weights = files.first(where: Files.exists) ?? path
        } else if !DualEncoderConfiguration.isModelType(modelType),
            Files.exists(path + "/" + SentenceTransformersFolder.fileName)
        {
            let folder = try SentenceTransformersFolder(path)
            (architecture, layout) = (.sentenceEncoder(folder.configuration), .huggingFace)
            weights = folder.towerFolder
            tokenizer = TokenizerSource(folder: folder.towerFolder)
            tokenizer.lowercases = folder.lowercases
        } else if isBERT {
            var configuration = try BERTConfiguration(huggingFace: Self.read(config), path: config)
            // transformers' file does not say how the tokens are pooled, nor how long texts were in training.
            if case .bert(let pooling) = manifest?.quirks.textPooling { configuration.pooling = pooling }
            if let context = manifest?.contextLength { configuration.contextLength = context }
            try ConfigurationCheck(path: config).validate(configuration, prefix: "")
            architecture = .sentenceEncoder(configuration)
            (layout, weights, tokenizer) = (.huggingFace, path, TokenizerSource(folder: path))
        } else if let kind = modelType.flatMap(ModelFolder.Architecture.SingleTower.init(rawValue:)) {
            architecture = try .init(kind, huggingFace: Self.read(config), path: config)
            layout = architecture.singleTowerLayout
            (weights, tokenizer) = (path, TokenizerSource(folder: path))
        } else if modelType != nil {
            let configuration = try DualEncoderConfiguration(folder: path)
            (architecture, layout) = (.dualEncoder(configuration), .huggingFace(configuration))
            (weights, tokenizer) = (path, TokenizerSource(folder: path))
        } else {
            let isUnfinished = Files.exists(path + "/checkpoints")
            throw ConcordError(
                .invalidCheckpoint,
                "\(path) is not a model folder: it has none of config.json, \(Self.openCLIPName) and "
                    + SentenceTransformersFolder.fileName
                    + (isUnfinished ? "; its training has not finished, run it again with --resume" : ""))
        }
    }

    private static func read(_ path: String) throws(ConcordError) -> JSONValue {
        try JSONValue(contentsOf: path, nonFiniteNumbers: true)
    }

    /// The `model_type` of `config.json`, which the first configurations of CLIP lack.
    private static func modelType(_ path: String) throws(ConcordError) -> String {
        let document = try read(path)
        if let type = document["model_type"]?.string { return type }
        if let error = document["error"]?.string {
            throw ConcordError(
                .invalidConfiguration,
                "\(path) is no configuration but a server's answer: `\(error)`; fetch the file again")
        }
        return "clip"
    }

    private static func openCLIP(
        _ document: JSONValue, _ path: String, _ folder: String, _ manifest: ModelManifest?
    ) throws(ConcordError) -> (ModelFolder.Architecture, CheckpointLayout, TokenizerSource) {
        guard let model = document["model_cfg"] else {
            throw ConcordError(.invalidConfiguration, "`model_cfg` is missing in \(path)")
        }
        let fields = try JSONFields(model, path: path, prefix: "model_cfg.")
        let tokenizer = try TokenizerSource(openCLIP: fields.object("text_cfg"), folder: folder)
        if fields["multimodal_cfg"] != nil {
            var configuration = try CoCaConfiguration(openCLIP: model, path: path)
            // Up to 3.3 open_clip's configurations cannot say which mask a model has.
            if try fields.object("text_cfg")["correct_cls_mask"] == nil, let mask = manifest?.quirks.classTokenMask {
                configuration.text.classTokenMask = mask
            }
            return (.coca(configuration), .openCLIP(configuration), tokenizer)
        }
        let configuration = try DualEncoderConfiguration(openCLIP: model, path: path, folder: folder)
        let hasCustomText = try fields.boolean("custom_text", default: false)
        return (.dualEncoder(configuration), .openCLIP(configuration, hasCustomText: hasCustomText), tokenizer)
    }

    /// Completes the configuration from the weights.
    ///
    /// - Throws: `.invalidCheckpoint` for a CoCa whose weights have another pooler or language head.
    mutating func fit(to checkpoint: CheckpointReader) throws(ConcordError) {
        func hasPooler(_ layout: CheckpointLayout, _ scope: String) -> Bool {
            checkpoint[layout.place(of: scope + "pooler.dense.weight").name] != nil
        }
        /// The width that a projection maps to; nil where there is none.
        func projection(_ parameter: String) -> Int? {
            checkpoint[layout.place(of: parameter).name]?.entry.shape.first
        }
        switch architecture {
        case .sentenceEncoder(var configuration):
            layout = try layout.fitted(to: checkpoint, by: "embeddings.word_embeddings.weight")
            configuration.hasPooler = configuration.pooling == .pooler || hasPooler(layout, "")
            architecture = .sentenceEncoder(configuration)
        case .coca(let configuration):
            layout = try layout.fitted(to: checkpoint, by: "logit_scale")
            try configuration.check(checkpoint, layout)
        case .dualEncoder(var configuration):
            if layout.family == .openCLIP {
                // open_clip renames these, too, where file and configuration differ.
                for (isCustom, name) in [(false, "positional_embedding"), (true, "text.positional_embedding")]
                where checkpoint.tensors.contains(where: { $0.name == name || $0.name.hasSuffix("." + name) }) {
                    layout = .openCLIP(configuration, hasCustomText: isCustom)
                }
            }
            layout = try layout.fitted(to: checkpoint, by: "logit_scale")
            if case .bert(var text) = configuration.text {
                text.hasPooler = text.pooling == .pooler || hasPooler(layout, Tower.text.root + ".")
                configuration.text = .bert(text)
            }
            architecture = .dualEncoder(configuration)
        case .textTower(var text, var width):
            layout = try layout.fitted(
                to: checkpoint, root: Tower.text.root + ".", by: "embeddings.token_embedding.weight")
            if text.projection == .none, let projection = projection(Tower.text.projection + ".weight") {
                (text.projection, width) = (.linear, projection)
            }
            architecture = .textTower(text, width: width)
        case .imageTower(var vision, var width):
            layout = try layout.fitted(
                to: checkpoint, root: Tower.image.root + ".", by: "embeddings.patch_embedding.weight")
            if vision.pooling != .attention, !vision.hasProjection,
                let projection = projection(Tower.image.projection + ".weight")
            {
                (vision.hasProjection, width) = (true, projection)
            }
            architecture = .imageTower(vision, width: width)
        }
    }

    /// The preprocessing: that which the manifest names, or that of the program whose folder it is.
    func preprocessing(manifest: ModelManifest?) throws(ConcordError) -> PreprocessingSource? {
        guard architecture.vision != nil else { return nil }
        if let openCLIP, layout.family == .openCLIP { return .openCLIP(openCLIP) }
        let names = manifest?.preprocessing.map { [$0] } ?? ["preprocessor_config.json", "processor_config.json"]
        for name in names where Files.exists(path + "/" + name) {
            return .huggingFace(try Self.read(path + "/" + name))
        }
        return openCLIP.map(PreprocessingSource.openCLIP)
    }
}
