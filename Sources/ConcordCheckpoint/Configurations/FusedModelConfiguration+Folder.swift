import ConcordCore

extension FusedModelConfiguration: ArchitectureConfiguration {
    package var architecture: ModelFolder.Architecture { .fused(self) }
    package var kind: ModelManifest.Architecture { .fused }
    package var kindName: String { "a fused model" }
    package var projectedWidth: Int? { projectionWidth }

    package var textTower: TextTowerConfiguration? {
        guard case .text(let tower) = tower(of: .text) else { return nil }
        return .transformer(tower)
    }

    package var imageTower: VisionTransformerConfiguration? {
        guard case .image(let tower) = tower(of: .image) else { return nil }
        return tower
    }

    package static func read(_ files: FolderFiles) throws(ConcordError) -> FolderContents? {
        guard let config = files.config, files.modelType == ownModelType else { return nil }
        return FolderContents(
            architecture: .fused(try FusedModelConfiguration(own: config, path: files.configPath)),
            layout: .huggingFace, weights: files.path, tokenizer: TokenizerSource(folder: files.path))
    }

    package func fitted(
        to checkpoint: CheckpointReader, _ layout: inout CheckpointLayout
    ) throws(ConcordError) -> ModelFolder.Architecture {
        layout = try layout.fitted(to: checkpoint, by: "logit_scale")
        return .fused(self)
    }

    package func documents(
        _ layout: CheckpointLayout.Family, _ inputs: FolderDocuments.Inputs
    ) throws(ConcordError) -> FolderDocuments {
        guard layout == .huggingFace else {
            throw ConcordError(.invalidConfiguration, "open_clip has no fused models; save it in Concord's own form")
        }
        return try FolderDocuments(.huggingFace, config: configurationJSON(), inputs)
    }

    package func requireTransformersClass() throws(ConcordError) {
        throw ConcordError(.invalidConfiguration, "transformers has no class for fused models")
    }
}
