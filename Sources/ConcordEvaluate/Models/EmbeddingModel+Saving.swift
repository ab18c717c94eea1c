import ConcordCheckpoint
import ConcordCore
import ConcordMedia
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordText
import Foundation

extension EmbeddingModel {
    /// Writes a complete model folder, the manifest last: where it stands, everything else does too.
    ///
    /// The weights keep their dtype. A model that transformers has no class for gets Concord's own `config.json` in
    /// layout `huggingFace`; a sentence encoder gets the files of sentence-transformers, too.
    ///
    /// - Parameters:
    ///   - layout: whose names and files the folder has.
    ///   - training: where the weights come from; nil when that is not known.
    /// - Throws: `.invalidConfiguration`, before anything is written, for a model that the layout cannot hold;
    ///   `.fileSystem`.
    public func save(
        to folder: String, layout: CheckpointLayout.Family = .huggingFace, training: ModelManifest.Training?
    ) throws {
        try save(to: folder, layout: layout, training: training, withWeights: true)
    }

    /// Writes a model folder as ``save(to:layout:training:)`` does, but for the weights, which somebody keeps in another
    /// form.
    ///
    /// - Throws: `.fileSystem`.
    package func saveWithoutWeights(to folder: String, training: ModelManifest.Training?) throws {
        try save(to: folder, layout: .huggingFace, training: training, withWeights: false)
    }

    private func save(
        to folder: String, layout: CheckpointLayout.Family, training: ModelManifest.Training?, withWeights: Bool
    ) throws {
        let files = try SavedFiles(self, layout)
        // What keeps a side of the model from working would be missing in the new folder, too.
        let texts = encoder is any TextEncoder ? try textResult.get() : nil
        if encoder is any ImageEncoder { _ = try imageResult.get() }
        try Files.makeFolder(folder)
        let manifestPath = folder + "/" + ModelManifest.fileName
        if Files.exists(manifestPath), unlink(manifestPath) != 0 { throw ConcordError.system("remove", manifestPath) }
        if withWeights {
            try encoder.store.save(
                to: folder + "/" + files.weights, layout: files.layout,
                // What either writes itself.
                metadata: layout == .openCLIP ? [:] : SafetensorsWriter.standardMetadata)
        }
        try texts?.tokenizer.write(to: folder, contextLength: texts?.encoder.textConfiguration.contextLength ?? 0)
        for (name, document) in files.documents {
            try Files.makeFolder(Files.parent(of: folder + "/" + name))
            try Files.replace(folder + "/" + name, with: document.text(pretty: true) + "\n")
        }
        var hashes = [String: String]()
        let own = [files.weights] + files.documents.map(\.name) + TokenizerFiles.known
        for name in own where !name.contains("/") && Files.exists(folder + "/" + name) {
            hashes[name] = try FileHash(.sha256, ofFile: folder + "/" + name).hexadecimal
        }
        let tokenizer = texts?.tokenizer.manifest
        var manifest = ModelManifest(
            try architecture(), tokenizer: tokenizer?.clipMode, crop: images?.preprocessing.cropRule,
            weightsLayout: layout, hashes: hashes, training: training)
        if let tokenizer {
            manifest.quirks.cleaning = TextCleaning.openCLIP.first { $0 == tokenizer.cleaning }
            manifest.quirks.lowercases = tokenizer.cleaning == .lowercase
            manifest.quirks.stripsSeparator = tokenizer.strippedToken != nil
        }
        try manifest.write(folder: folder)
    }

    /// Throws `.invalidConfiguration` for a model that `save` refuses: to be asked before hours of training.
    package func checkSaving() throws(ConcordError) { _ = try SavedFiles(self, .huggingFace) }

    /// The description of the model in a folder. Throws `.invalidConfiguration` for a model that folders cannot hold.
    func architecture() throws(ConcordError) -> ModelFolder.Architecture {
        guard let architecture = encoder.architecture else {
            throw ConcordError(
                .invalidConfiguration,
                "a \(type(of: encoder)) cannot be saved as a model folder; save its parameters with `store.save(to:)`")
        }
        return architecture
    }
}

/// The files of a model folder besides weights, tokenizer and manifest.
private struct SavedFiles {
    let layout: CheckpointLayout
    let weights: String
    /// Paths within the folder, and contents.
    private(set) var documents: [(name: String, document: JSONValue)] = []

    init(_ model: EmbeddingModel, _ family: CheckpointLayout.Family) throws(ConcordError) {
        weights = family == .openCLIP ? CheckpointReader.openCLIPNames[0] : CheckpointReader.fileName
        let architecture = try model.architecture()
        switch (architecture, family) {
        case (.coca(let configuration), .huggingFace):
            layout = .huggingFace
            documents.append(("config.json", Self.with(dtype: model.dtype, configuration.configurationJSON())))
            if let images = model.images {
                documents.append(("preprocessor_config.json", try images.preprocessing.preprocessorConfig()))
            }
        case (.coca(let configuration), .openCLIP):
            layout = .openCLIP(configuration)
            guard let preprocessing = try model.images?.preprocessing.openCLIPConfig()["preprocess_cfg"] else { return }
            documents.append(
                (
                    "open_clip_config.json",
                    try configuration.openCLIPJSON(
                        preprocessing: preprocessing, tokenizer: Self.openCLIPTokenizer(model))
                ))
        case (.sentenceEncoder, .openCLIP), (.textTower, .openCLIP):
            throw ConcordError(
                .invalidConfiguration, "open_clip has no format for a text encoder alone; save it as huggingface")
        case (.imageTower, .openCLIP):
            throw ConcordError(
                .invalidConfiguration, "open_clip has no format for an image tower alone; save it as huggingface")
        case (.textTower, .huggingFace), (.imageTower, .huggingFace):
            layout = architecture.singleTowerLayout
            documents.append(("config.json", Self.with(dtype: model.dtype, architecture.singleTowerJSON())))
            if let images = model.images {
                documents.append(("preprocessor_config.json", try images.preprocessing.preprocessorConfig()))
            }
        case (.sentenceEncoder(let configuration), .huggingFace):
            layout = .huggingFace
            let json = Self.with(dtype: model.dtype, configuration.huggingFaceJSON())
            documents.append(("config.json", json))
            documents += Self.sentenceTransformers(
                configuration, lowercases: model.texts?.tokenizer.manifest.cleaning == .lowercase)
        case (.dualEncoder(let configuration), .huggingFace):
            layout = .huggingFace(configuration)
            documents.append(("config.json", Self.with(dtype: model.dtype, configuration.configurationJSON())))
            if let images = model.images {
                documents.append(("preprocessor_config.json", try images.preprocessing.preprocessorConfig()))
            }
        case (.dualEncoder(let configuration), .openCLIP):
            layout = .openCLIP(configuration)
            try addOpenCLIP(model, configuration)
        }
    }

    private mutating func addOpenCLIP(
        _ model: EmbeddingModel, _ configuration: DualEncoderConfiguration
    ) throws(ConcordError) {
        guard let preprocessing = try model.images?.preprocessing.openCLIPConfig()["preprocess_cfg"] else { return }
        var towerName: String?
        if case .bert(let text) = configuration.text, text.publishedName == nil {
            // open_clip looks for a configuration of these sizes below the folder that it is started in.
            towerName = "text-tower"
            documents.append(("text-tower/config.json", text.huggingFaceJSON()))
        }
        documents.append(
            (
                "open_clip_config.json",
                try configuration.openCLIPJSON(
                    preprocessing: preprocessing, tokenizer: Self.openCLIPTokenizer(model), textModel: towerName)
            ))
    }

    /// The settings that open_clip needs to tokenize as the model does; none for CLIP's vocabulary, which it has.
    ///
    /// With a name of any kind, open_clip reads the tokenizer files of the folder itself.
    private static func openCLIPTokenizer(_ model: EmbeddingModel) -> [JSONValue.Member] {
        guard let tokenizer = model.texts?.tokenizer else { return [] }
        let manifest = tokenizer.manifest
        let isPublishedCLIP =
            manifest.clipMode != nil
            && tokenizer.vocabularySize == TextTransformerConfiguration().vocabularySize
        guard !isPublishedCLIP || manifest.cleaning != .none || manifest.strippedToken != nil else { return [] }
        var options = [JSONValue.Member]()
        if let cleaning = cleaning(manifest), cleaning != .whitespace {
            options.append(.init("clean", .string(cleaning.rawValue)))
        }
        if manifest.strippedToken != nil { options.append(.init("strip_sep_token", true)) }
        let name = JSONValue.Member("hf_tokenizer_name", "tokenizer")
        return options.isEmpty ? [name] : [name, .init("tokenizer_kwargs", .object(options))]
    }

    /// The cleaning that open_clip must do before the folder's tokenizer sees a text.
    private static func cleaning(_ tokenizer: TokenizerManifest) -> TextCleaning? {
        if tokenizer.cleaning != .none { return tokenizer.cleaning }
        return switch tokenizer.kind {
        case .clip(let mode): mode == .openai ? .lower : .whitespace
        // transformers' class does the same by itself; open_clip's configurations of SigLIP say it all the same.
        case .sentencePiece: .canonicalize
        case .huggingFace: nil
        }
    }

    /// The files by which sentence-transformers knows how tokens become a vector; none for a pooling that it lacks.
    private static func sentenceTransformers(
        _ configuration: BERTConfiguration, lowercases: Bool
    ) -> [(name: String, document: JSONValue)] {
        guard configuration.pooling != .pooler else { return [] }
        let modules = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")]
        return [
            (
                "modules.json",
                .array(
                    modules.enumerated().map { index, module in
                        [
                            "idx": .integer(index), "name": .string("\(index)"), "path": .string(module.1),
                            "type": .string("sentence_transformers.models.\(module.0)"),
                        ]
                    })
            ),
            (
                "1_Pooling/config.json",
                [
                    "word_embedding_dimension": .integer(configuration.width),
                    "pooling_mode_cls_token": .bool(configuration.pooling == .cls),
                    "pooling_mode_mean_tokens": .bool(configuration.pooling == .mean),
                    "pooling_mode_max_tokens": .bool(configuration.pooling == .max),
                    "pooling_mode_mean_sqrt_len_tokens": false,
                ]
            ),
            (
                "sentence_bert_config.json",
                ["max_seq_length": .integer(configuration.contextLength), "do_lower_case": .bool(lowercases)]
            ),
        ]
    }

    /// The configuration with the dtype of the weights.
    private static func with(dtype: DType, _ json: JSONValue) -> JSONValue {
        .object((json.members ?? []).map { $0.name == "dtype" ? .init("dtype", .string(dtype.rawValue)) : $0 })
    }
}

extension EmbeddingModel {
    /// The type of most parameters.
    var dtype: DType {
        let counts = Dictionary(grouping: encoder.store.parameters, by: \.tensor.dtype).mapValues {
            $0.reduce(0) { $0 + $1.tensor.shape.reduce(1, *) }
        }
        return counts.max { $0.value < $1.value }?.key ?? .float32
    }
}
