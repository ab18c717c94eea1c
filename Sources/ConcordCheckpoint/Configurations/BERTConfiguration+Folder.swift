import ConcordCore
import ConcordText

extension BERTConfiguration: ArchitectureConfiguration {
    package var architecture: ModelFolder.Architecture { .sentenceEncoder(self) }
    package var kind: ModelManifest.Architecture { .sentenceEncoder }
    package var kindName: String { "a sentence encoder" }
    package var textTower: TextTowerConfiguration? { .bert(self) }
    package var imageTower: VisionTransformerConfiguration? { nil }
    package var projectedWidth: Int? { nil }

    package func validate(path: String) throws(ConcordError) {
        try ConfigurationCheck(path: path).validate(self, prefix: "")
    }

    /// Reads a folder of sentence-transformers, or of transformers' BERT alone.
    package static func read(_ files: FolderFiles) throws(ConcordError) -> FolderContents? {
        guard !files.isOpenCLIP else { return nil }
        let modules = files.path + "/" + SentenceTransformersFolder.fileName
        if !DualEncoderConfiguration.isModelType(files.modelType), Files.exists(modules) {
            let folder = try SentenceTransformersFolder(files.path)
            var tokenizer = TokenizerSource(folder: folder.towerFolder)
            tokenizer.lowercases = folder.lowercases
            return FolderContents(
                architecture: .sentenceEncoder(folder.configuration), layout: .huggingFace,
                weights: folder.towerFolder, tokenizer: tokenizer)
        }
        guard let config = files.config, files.modelType.flatMap(Family.init(rawValue:)) != nil else { return nil }
        var configuration = try BERTConfiguration(huggingFace: config, path: files.configPath)
        // transformers' file does not say how the tokens are pooled, nor how long texts were in training.
        if case .bert(let pooling) = files.manifest?.quirks.textPooling { configuration.pooling = pooling }
        if let context = files.manifest?.contextLength { configuration.contextLength = context }
        try configuration.validate(path: files.configPath)
        return FolderContents(
            architecture: .sentenceEncoder(configuration), layout: .huggingFace, weights: files.path,
            tokenizer: TokenizerSource(folder: files.path))
    }

    package func fitted(
        to checkpoint: CheckpointReader, _ layout: inout CheckpointLayout
    ) throws(ConcordError) -> ModelFolder.Architecture {
        layout = try layout.fitted(to: checkpoint, by: "embeddings.word_embeddings.weight")
        var model = self
        model.hasPooler = pooling == .pooler || checkpoint.hasPooler(layout)
        return .sentenceEncoder(model)
    }

    package func documents(
        _ layout: CheckpointLayout.Family, _ inputs: FolderDocuments.Inputs
    ) throws(ConcordError) -> FolderDocuments {
        guard layout == .huggingFace else {
            throw ConcordError(
                .invalidConfiguration, "open_clip has no format for a text encoder alone; save it as huggingface")
        }
        let lowercases = inputs.tokenizer?.manifest.cleaning == .lowercase
        return try FolderDocuments(
            .huggingFace, config: huggingFaceJSON(), inputs, more: sentenceTransformers(lowercases: lowercases))
    }

    /// The files by which sentence-transformers knows how tokens become a vector; none for a pooling that it lacks.
    private func sentenceTransformers(lowercases: Bool) -> [(name: String, document: JSONValue)] {
        guard pooling != .pooler else { return [] }
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
                    "word_embedding_dimension": .integer(width),
                    "pooling_mode_cls_token": .bool(pooling == .cls),
                    "pooling_mode_mean_tokens": .bool(pooling == .mean),
                    "pooling_mode_max_tokens": .bool(pooling == .max),
                    "pooling_mode_mean_sqrt_len_tokens": false,
                ]
            ),
            (
                "sentence_bert_config.json",
                ["max_seq_length": .integer(contextLength), "do_lower_case": .bool(lowercases)]
            ),
        ]
    }
}
