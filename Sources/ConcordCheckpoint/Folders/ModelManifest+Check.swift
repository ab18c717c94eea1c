import ConcordCore

extension ModelManifest {
    /// Throws `.invalidConfiguration` when the folder's configuration describes another model.
    func check(
        _ architecture: ModelFolder.Architecture, _ layout: CheckpointLayout, path: String
    ) throws(ConcordError) {
        func compare(_ name: String, _ ours: String?, _ other: String?) throws(ConcordError) {
            guard let ours, ours != other else { return }
            throw ConcordError(
                .invalidConfiguration,
                "\(path): \(Self.fileName) has `\(name)` \(ours), the model's configuration \(other ?? "none"); fetch or "
                    + "save the model again")
        }
        let found = Quirks(architecture, tokenizer: nil, crop: nil)
        try compare("architecture", self.architecture.rawValue, Architecture(architecture).rawValue)
        try compare("weights_layout", weightsLayout.rawValue, layout.family.rawValue)
        try compare("text.activation", quirks.textActivation?.rawValue, found.textActivation?.rawValue)
        try compare("text.pooling", quirks.textPooling?.name, found.textPooling?.name)
        try compare("vision.activation", quirks.visionActivation?.rawValue, found.visionActivation?.rawValue)
        try compare("vision.pooling", quirks.visionPooling?.rawValue, found.visionPooling?.rawValue)
        try compare("text.class_token_mask", quirks.classTokenMask?.rawValue, found.classTokenMask?.rawValue)
        try compare("vision.query_pooling", quirks.queryPooling?.rawValue, found.queryPooling?.rawValue)
        try compare("context_length", contextLength.map(String.init), architecture.text.map { "\($0.contextLength)" })
    }
}
