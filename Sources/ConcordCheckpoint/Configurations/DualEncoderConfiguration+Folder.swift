import ConcordCore

extension DualEncoderConfiguration: ArchitectureConfiguration {
    package var architecture: ModelFolder.Architecture { .dualEncoder(self) }
    package var kind: ModelManifest.Architecture {
        switch text {
        case .bert: .dualEncoder
        case .transformer: vision.pooling == .attention ? .siglip : .clip
        }
    }
    package var kindName: String { "a model of two towers" }
    package var textTower: TextTowerConfiguration? { text }
    package var imageTower: VisionTransformerConfiguration? { vision }
    package var projectedWidth: Int? { projectionWidth }
    package var towerPair: DualEncoderConfiguration? { self }

    package func resized(to towers: DualEncoderConfiguration) -> ModelFolder.Architecture { .dualEncoder(towers) }

    package static func read(_ files: FolderFiles) throws(ConcordError) -> FolderContents? {
        if let found = try files.openCLIPModel() {
            let configuration = try DualEncoderConfiguration(
                openCLIP: found.json, path: found.path, folder: files.path)
            let hasCustomText = try found.fields.boolean("custom_text", default: false)
            return FolderContents(
                architecture: .dualEncoder(configuration),
                layout: .openCLIP(configuration, hasCustomText: hasCustomText), weights: found.weights,
                tokenizer: found.tokenizer)
        }
        guard let config = files.config else { return nil }
        let configuration = try DualEncoderConfiguration(huggingFace: config, path: files.configPath)
        return FolderContents(
            architecture: .dualEncoder(configuration), layout: .huggingFace(configuration), weights: files.path,
            tokenizer: TokenizerSource(folder: files.path))
    }

    package func fitted(
        to checkpoint: CheckpointReader, _ layout: inout CheckpointLayout
    ) throws(ConcordError) -> ModelFolder.Architecture {
        var model = self
        if layout.family == .openCLIP {
            // open_clip renames these, too, where file and configuration differ.
            for (isCustom, name) in [(false, "positional_embedding"), (true, "text.positional_embedding")]
            where checkpoint.tensors.contains(where: { $0.name == name || $0.name.hasSuffix("." + name) }) {
                layout = .openCLIP(self, hasCustomText: isCustom)
            }
        }
        layout = try layout.fitted(to: checkpoint, by: "logit_scale")
        if case .bert(var text) = text {
            text.hasPooler = text.pooling == .pooler || checkpoint.hasPooler(layout, scope: Tower.text.root + ".")
            model.text = .bert(text)
        }
        return .dualEncoder(model)
    }

    package func documents(
        _ layout: CheckpointLayout.Family, _ inputs: FolderDocuments.Inputs
    ) throws(ConcordError) -> FolderDocuments {
        guard layout == .openCLIP else {
            return try FolderDocuments(.huggingFace(self), config: configurationJSON(), inputs)
        }
        var tower: (name: String, document: JSONValue)?
        if case .bert(let text) = text, text.publishedName == nil {
            // open_clip looks for a configuration of these sizes below the folder that it is started in.
            tower = ("text-tower/config.json", text.huggingFaceJSON())
        }
        let towerName = tower.map { Files.parent(of: $0.name) }
        return try FolderDocuments(openCLIP: .openCLIP(self), inputs, more: tower.map { [$0] } ?? []) {
            preprocessing, tokenizer throws(ConcordError) in
            try openCLIPJSON(preprocessing: preprocessing, tokenizer: tokenizer, textModel: towerName)
        }
    }

    package func requireTransformersClass() throws(ConcordError) { _ = try huggingFaceJSON() }
}
