import ConcordCore

/// What was found in a model folder.
package struct FolderContents {
    package var architecture: ModelFolder.Architecture
    package var layout: CheckpointLayout
    /// The folder, or a file in it.
    package var weights: String
    package var tokenizer: TokenizerSource

    /// Whether there are readable weights; a folder may have only a configuration, or unsupported weights.
    var hasWeights: Bool { weights.hasSuffix(".safetensors") || CheckpointReader.holdsWeights(weights) }
}

/// The documents of a folder by which the kind of its model is recognized.
package struct FolderFiles {
    let path: String
    let manifest: ModelManifest?
    /// `config.json`.
    let config: JSONValue?
    /// The `model_type` of `config.json`; nil without the file.
    let modelType: String?
    /// `open_clip_config.json`.
    private let openCLIP: JSONValue?

    static let openCLIPName = "open_clip_config.json"

    var configPath: String { path + "/config.json" }
    private var openCLIPPath: String { path + "/" + Self.openCLIPName }

    init(_ path: String, manifest: ModelManifest?) throws(ConcordError) {
        self.path = path
        self.manifest = manifest
        let config = path + "/config.json", openCLIP = path + "/" + Self.openCLIPName
        // A bare `nil` would be JSON's.
        self.openCLIP = Files.exists(openCLIP) ? try Self.read(openCLIP) : Optional.none
        self.config = Files.exists(config) ? try Self.read(config) : Optional.none
        modelType = try self.config.map { document throws(ConcordError) in try Self.modelType(document, config) }
    }

    /// The contents, as the first kind reads them that knows them.
    ///
    /// - Throws: `.invalidCheckpoint` for a folder without a configuration; `.invalidConfiguration` for a bad one.
    func contents() throws(ConcordError) -> FolderContents {
        for kind in ModelFolder.Architecture.kinds {
            if let contents = try kind.read(self) { return contents }
        }
        let isUnfinished = Files.exists(path + "/checkpoints")
        throw ConcordError(
            .invalidCheckpoint,
            "\(path) is not a model folder: it has none of config.json, \(Self.openCLIPName) and "
                + SentenceTransformersFolder.fileName
                + (isUnfinished ? "; its training has not finished, run it again with --resume" : ""))
    }

    private static func read(_ path: String) throws(ConcordError) -> JSONValue {
        try JSONValue(contentsOf: path, nonFiniteNumbers: true)
    }

    /// The `model_type` of `config.json`, which the first configurations of CLIP lack.
    private static func modelType(_ document: JSONValue, _ path: String) throws(ConcordError) -> String {
        if let type = document["model_type"]?.string { return type }
        if let error = document["error"]?.string {
            throw ConcordError(
                .invalidConfiguration,
                "\(path) is no configuration but a server's answer: `\(error)`; fetch the file again")
        }
        return "clip"
    }

    // MARK: open_clip's

    /// Whether the folder is read as open_clip's.
    var isOpenCLIP: Bool {
        guard openCLIP != nil else { return false }
        // With open_clip's file beside it, the configuration of a BERT is that of its text tower.
        let isBERT = modelType.map { BERTConfiguration.Family(rawValue: $0) != nil } ?? false
        return modelType == nil || isBERT || !CheckpointReader.holdsWeights(path)
    }

    /// The model in `open_clip_config.json`; nil where the folder is not open_clip's.
    func openCLIPModel() throws(ConcordError) -> OpenCLIPModel? {
        guard isOpenCLIP, let openCLIP else { return nil }
        guard let model = openCLIP["model_cfg"] else {
            throw ConcordError(.invalidConfiguration, "`model_cfg` is missing in \(openCLIPPath)")
        }
        let fields = try JSONFields(model, path: openCLIPPath, prefix: "model_cfg.")
        let weights = CheckpointReader.openCLIPNames.map { path + "/" + $0 }.first(where: Files.exists)
        return OpenCLIPModel(
            json: model, path: openCLIPPath, fields: fields, weights: weights ?? path,
            tokenizer: try TokenizerSource(openCLIP: fields.object("text_cfg"), folder: path))
    }

    struct OpenCLIPModel {
        /// `model_cfg`.
        let json: JSONValue
        let path: String
        let fields: JSONFields
        let weights: String
        let tokenizer: TokenizerSource

        /// Whether the model has a decoder.
        var isMultimodal: Bool { fields["multimodal_cfg"] != nil }
    }

    /// The preprocessing of images: that which the manifest names, or that of the program whose folder it is.
    func preprocessing(_ layout: CheckpointLayout) throws(ConcordError) -> PreprocessingSource? {
        if let openCLIP, layout.family == .openCLIP { return .openCLIP(openCLIP) }
        let names = manifest?.preprocessing.map { [$0] } ?? ["preprocessor_config.json", "processor_config.json"]
        for name in names where Files.exists(path + "/" + name) {
            return .huggingFace(try Self.read(path + "/" + name))
        }
        return openCLIP.map(PreprocessingSource.openCLIP)
    }
}

extension CheckpointReader {
    /// Whether the weights have BERT's dense layer on the first token.
    ///
    /// - Parameter scope: the tower's prefix of names.
    func hasPooler(_ layout: CheckpointLayout, scope: String = "") -> Bool {
        self[layout.place(of: scope + "pooler.dense.weight").name] != nil
    }

    /// The width that a projection maps to; nil where there is none.
    func projection(_ parameter: String, _ layout: CheckpointLayout) -> Int? {
        self[layout.place(of: parameter).name]?.entry.shape.first
    }
}
