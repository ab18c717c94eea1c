import ConcordCore

extension CoCaConfiguration: ArchitectureConfiguration {
    package var architecture: ModelFolder.Architecture { .coca(self) }
    package var kind: ModelManifest.Architecture { .coca }
    package var kindName: String { "a CoCa" }
    package var textTower: TextTowerConfiguration? { .transformer(text) }
    package var imageTower: VisionTransformerConfiguration? { vision }
    package var projectedWidth: Int? { projectionWidth }
    package var towerPair: DualEncoderConfiguration? { towers }
    package var captionDecoder: CaptionDecoderConfiguration? { decoder }

    package func resized(to towers: DualEncoderConfiguration) -> ModelFolder.Architecture {
        var model = self
        model.vision.imageSize = towers.vision.imageSize
        model.text.contextLength = towers.text.contextLength
        model.initialLogitScale = towers.initialLogitScale
        return .coca(model)
    }

    package static func read(_ files: FolderFiles) throws(ConcordError) -> FolderContents? {
        if let config = files.config, files.modelType == ownModelType {
            return FolderContents(
                architecture: .coca(try CoCaConfiguration(own: config, path: files.configPath)), layout: .huggingFace,
                weights: files.path, tokenizer: TokenizerSource(folder: files.path))
        }
        guard let found = try files.openCLIPModel(), found.isMultimodal else { return nil }
        var configuration = try CoCaConfiguration(openCLIP: found.json, path: found.path)
        // Up to 3.3 open_clip's configurations cannot say which mask a model has.
        if try found.fields.object("text_cfg")["correct_cls_mask"] == nil,
            let mask = files.manifest?.quirks.classTokenMask
        {
            configuration.text.classTokenMask = mask
        }
        return FolderContents(
            architecture: .coca(configuration), layout: .openCLIP(configuration), weights: found.weights,
            tokenizer: found.tokenizer)
    }

    package func fitted(
        to checkpoint: CheckpointReader, _ layout: inout CheckpointLayout
    ) throws(ConcordError) -> ModelFolder.Architecture {
        layout = try layout.fitted(to: checkpoint, by: "logit_scale")
        try check(checkpoint, layout)
        return .coca(self)
    }

    package func documents(
        _ layout: CheckpointLayout.Family, _ inputs: FolderDocuments.Inputs
    ) throws(ConcordError) -> FolderDocuments {
        switch layout {
        case .huggingFace: return try FolderDocuments(.huggingFace, config: configurationJSON(), inputs)
        case .openCLIP:
            return try FolderDocuments(openCLIP: .openCLIP(self), inputs) {
                preprocessing, tokenizer throws(ConcordError) in
                try openCLIPJSON(preprocessing: preprocessing, tokenizer: tokenizer)
            }
        }
    }

    package func requireTransformersClass() throws(ConcordError) {
        throw ConcordError(.invalidConfiguration, "transformers has no class for CoCa; use `--to open_clip`")
    }
}
