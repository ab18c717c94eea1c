import ConcordCore

extension CheckpointLayout {
    /// This layout as a file has it, where programs of different years spell one format differently.
    ///
    /// - Names of all parameters below a prefix, whatever it is: `bert.` or `roberta.` in files of a language model,
    ///   `module.` in those of distributed training, `model.` in those of Lightning, `0.auto_model.` in a pickled
    ///   sentence encoder.
    /// - Names of a tower alone without the tower's own, as transformers 5 has them.
    /// - `LayerNorm.gamma` and `beta` in BERT's first checkpoints.
    /// - `vision_model.vision_model.` in a `VisionTextDualEncoderModel` of transformers 4.
    /// - `logit_scale` and `logit_bias` as vectors of one number.
    ///
    /// - Parameter parameter: one of the model's, by which a prefix is known.
    /// - Throws: `.invalidCheckpoint` for a file that has it below several prefixes.
    func fitted(
        to checkpoint: CheckpointReader, by parameter: String
    ) throws(ConcordError) -> CheckpointLayout {
        let names = checkpoint.tensors.map(\.name)
        let prefix = try Self.prefix(of: place(of: parameter).name, in: names, path: checkpoint.path)
        var added = [NameRule]()
        if family == .huggingFace, names.contains(where: { $0.hasSuffix("LayerNorm.gamma") }) {
            added.append(NameRule("*LayerNorm.weight", "*LayerNorm.gamma"))
            added.append(NameRule("*LayerNorm.bias", "*LayerNorm.beta"))
        }
        if names.contains(where: { $0.hasPrefix(prefix + "vision_model.vision_model.") }) {
            added.append(NameRule("vision_model.*", "vision_model.vision_model.*"))
        }
        for name in ["logit_scale", "logit_bias"] {
            guard let shape = checkpoint[prefix + name]?.entry.shape, shape.isEmpty || shape == [1] else { continue }
            added.append(NameRule(name, name, leadingAxes: shape.count))
        }
        return CheckpointLayout(family, rules: added + rules, prefix: prefix, root: root)
    }

    /// The layout of a file that holds the tower of that root alone.
    ///
    /// transformers 5 leaves the root out where there is no projection beside the tower; transformers 4 never did.
    ///
    /// - Parameters:
    ///   - root: such as `text_model.`
    ///   - parameter: one below it, without the root.
    func fitted(
        to checkpoint: CheckpointReader, root: String, by parameter: String
    ) throws(ConcordError) -> CheckpointLayout {
        let name = root + parameter
        let hasRoot = checkpoint.tensors.contains { $0.name == name || $0.name.hasSuffix("." + name) }
        return try CheckpointLayout(family, rules: rules, root: hasRoot ? "" : root).fitted(to: checkpoint, by: name)
    }

    /// What stands before a name in the file; nothing where the name is not there at all.
    private static func prefix(of name: String, in names: [String], path: String) throws(ConcordError) -> String {
        // The heads of a language model stand beside the prefix, so not every name has it.
        guard !names.contains(name) else { return "" }
        let found = names.filter { $0.hasSuffix("." + name) }.map { String($0.dropLast(name.utf8.count)) }
        guard found.count < 2 else {
            let list = found.map { "`\($0)`" }.joined(separator: ", ")
            throw ConcordError(
                .invalidCheckpoint,
                "\(path) holds several models, whose names begin with \(list); save the one that is meant alone")
        }
        return found.first ?? ""
    }
}
