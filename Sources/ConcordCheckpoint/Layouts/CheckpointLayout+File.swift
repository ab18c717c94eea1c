extension CheckpointLayout {
    /// This layout as a file has it, where programs of different years spell one format differently.
    ///
    /// - Names of all parameters below a prefix: `bert.` or `roberta.` in files of a language model, `module.` in those
    ///   of distributed training, `0.auto_model.` in a pickled sentence encoder.
    /// - `LayerNorm.gamma` and `beta` in BERT's first checkpoints.
    /// - `vision_model.vision_model.` in a `VisionTextDualEncoderModel` of transformers 4.
    /// - `logit_scale` and `logit_bias` as vectors of one number.
    public func fitted(to checkpoint: CheckpointReader) -> CheckpointLayout {
        let names = checkpoint.tensors.map(\.name)
        let known = ["bert.", "roberta.", "module.", "0.auto_model.", "auto_model."]
        let prefix =
            known.first { prefix in
                // The heads of a language model stand beside the prefix, so not every name has it.
                names.contains(prefix + "logit_scale") || names.contains(prefix + "embeddings.word_embeddings.weight")
            } ?? ""
        var added = [NameRule]()
        if family == .huggingFace, names.contains(where: { $0.hasSuffix("LayerNorm.gamma") }) {
            added.append(NameRule("*LayerNorm.weight", "*LayerNorm.gamma"))
            added.append(NameRule("*LayerNorm.bias", "*LayerNorm.beta"))
        }
        if names.contains(where: { $0.hasPrefix("vision_model.vision_model.") }) {
            added.append(NameRule("vision_model.*", "vision_model.vision_model.*"))
        }
        for name in ["logit_scale", "logit_bias"] {
            guard let shape = checkpoint[prefix + name]?.entry.shape, shape.isEmpty || shape == [1] else { continue }
            added.append(NameRule(name, name, leadingAxes: shape.count))
        }
        return CheckpointLayout(family, rules: added + rules, prefix: prefix)
    }
}
