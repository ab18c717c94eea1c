import ConcordCore

/// The names and arrangement of a model's parameters in a file format.
///
/// Models know their parameters by one set of names: those of transformers' `CLIPModel`, with `text_projection` and
/// `visual_projection` for whatever maps to the embedding, and those of `BertModel` for a BERT tower. A layout maps
/// each of them to its name and form in a file; one rule serves reading and writing.
public struct CheckpointLayout: Sendable, Hashable {
    /// The library that wrote, or will read, the file.
    public enum Family: String, Sendable, Hashable, CaseIterable {
        case huggingFace = "huggingface"
        case openCLIP = "open_clip"
    }

    package let family: Family
    /// The first that matches a name counts; a name without a match is the same in the file.
    let rules: [KeyRule]
    /// Prefix of every name in the file.
    let prefix: String
    /// Prefix that the file leaves out: that of its tower, if it has only one tower.
    let root: String
    /// Names of what a file may hold besides the model, such as a decoder that is not used here.
    package let others: [NamePattern]

    init(
        _ family: Family, rules: [KeyRule] = [], prefix: String = "", root: String = "", others: [NamePattern] = []
    ) {
        self.family = family
        self.rules = rules
        self.prefix = prefix
        self.root = root
        self.others = others
    }

    /// transformers' `CLIPModel`, `VisionTextDualEncoderModel`, `BertModel` and their kin: the names are the model's
    /// own.
    public static let huggingFace = CheckpointLayout(.huggingFace)

    /// The place of a parameter in a file of this layout.
    package func place(of parameter: String) -> StoredTensor {
        var place = rules.lazy.compactMap { $0.place(of: parameter) }.first ?? StoredTensor(parameter)
        if place.name.hasPrefix(root) { place.name = String(place.name.dropFirst(root.count)) }
        place.name = prefix + place.name
        return place
    }

    /// The tensors of a file of this layout for the parameters of a model; each once, in their order.
    package func tensors(of parameters: [KeyReport.Key]) -> [KeyReport.Key] {
        parameters.compactMap { parameter in
            let place = place(of: parameter.name)
            return place.part == 0 ? KeyReport.Key(place.name, place.fileShape(parameter.shape)) : nil
        }
    }

    /// The rules of a stack of pre-norm blocks.
    ///
    /// - Parameters:
    ///   - model: prefix of a block's number in the model's names.
    ///   - file: prefix of it in the file.
    ///   - own: the model's name of the attention.
    static func blocks(
        _ model: String, _ file: String, attention: (joined: String, output: String), norms: String,
        perceptron: (up: String, down: String), scales: String,
        own: String = "self_attn"
    ) -> [KeyRule] {
        let model = model + ".*.", file = file + ".*."
        let joined = ["q_proj", "k_proj", "v_proj"].enumerated().map { part, name in
            KeyRule(model + "\(own).\(name).*", file + attention.joined + "*", part: part, of: 3)
        }
        return joined + [
            KeyRule(model + "\(own).out_proj.*", file + attention.output + ".*"),
            KeyRule(model + "layer_norm1.*", file + norms + "1.*"),
            KeyRule(model + "layer_norm2.*", file + norms + "2.*"),
            KeyRule(model + "mlp.fc1.*", file + perceptron.up + ".*"),
            KeyRule(model + "mlp.fc2.*", file + perceptron.down + ".*"),
            KeyRule(model + "layer_scale1.weight", file + scales + "1.gamma"),
            KeyRule(model + "layer_scale2.weight", file + scales + "2.gamma"),
        ]
    }
}

/// One line of the table that turns a model's parameter names into a file's.
///
/// In both names each `*` stands for the same run of characters, as short as fits: a layer's number, or `weight` and
/// `bias`.
struct KeyRule: Sendable, Hashable {
    private let pieces: [String]
    /// The place of matching parameters in the file, with `*` in the name.
    private let place: StoredTensor

    init(
        _ parameter: String, _ name: String, part: Int = 0, of parts: Int = 1, isTransposed: Bool = false,
        leadingAxes: Int = 0
    ) {
        pieces = parameter.split(separator: "*", omittingEmptySubsequences: false).map(String.init)
        place = StoredTensor(name, part: part, of: parts, isTransposed: isTransposed, leadingAxes: leadingAxes)
    }

    /// The place of the parameter in the file; nil for one that does not match.
    func place(of parameter: String) -> StoredTensor? {
        guard let runs = runs(in: parameter) else { return nil }
        let around = place.name.split(separator: "*", omittingEmptySubsequences: false)
        var result = place
        result.name = around.dropFirst().enumerated().reduce(String(around[0])) { name, piece in
            name + (piece.offset < runs.count ? runs[piece.offset] : "") + piece.element
        }
        return result
    }

    /// The text that each star matches; nil for a name that does not match.
    private func runs(in name: String) -> [Substring]? {
        guard let first = pieces.first, let last = pieces.last, name.hasPrefix(first) else { return nil }
        guard pieces.count > 1 else { return name == first ? [] : nil }
        var rest = name.dropFirst(first.count), runs = [Substring]()
        for piece in pieces[1..<(pieces.count - 1)] {
            guard let found = rest.firstRange(of: piece) else { return nil }
            runs.append(rest[..<found.lowerBound])
            rest = rest[found.upperBound...]
        }
        guard rest.hasSuffix(last) else { return nil }
        return runs + [rest.dropLast(last.count)]
    }
}

/// The place and form of a parameter in a checkpoint file.
package struct StoredTensor: Sendable, Hashable {
    /// The tensor's name in the file.
    package var name: String
    /// The index of the parameter among `parts` equal slices of the tensor's first axis.
    package var part: Int
    package var parts: Int
    /// Whether the file has the parameter's transpose.
    package var isTransposed: Bool
    /// Axes of length 1 that the file has in front.
    package var leadingAxes: Int

    package init(_ name: String, part: Int = 0, of parts: Int = 1, isTransposed: Bool = false, leadingAxes: Int = 0) {
        self.name = name
        self.part = part
        self.parts = parts
        self.isTransposed = isTransposed
        self.leadingAxes = leadingAxes
    }

    /// The shape that the file's tensor has, given the parameter's.
    package func fileShape(_ shape: [Int]) -> [Int] {
        var shape = isTransposed ? Array(shape.reversed()) : shape
        if parts > 1, !shape.isEmpty { shape[0] *= parts }
        return Array(repeating: 1, count: leadingAxes) + shape
    }
}

extension CheckpointLayout {
    /// transformers' `SiglipModel`: the text projection is the text model's head, the pooling's q, k and v are one.
    ///
    /// Follows `models/siglip/modeling_siglip.py` of transformers 5.23.
    package static let huggingFaceSigLIP: CheckpointLayout = {
        let attention = "vision_model.head.attention."
        // torch's nn.MultiheadAttention stacks the three.
        let joined = ["q_proj", "k_proj", "v_proj"].enumerated().map { part, name in
            KeyRule(attention + name + ".*", attention + "in_proj_*", part: part, of: 3)
        }
        return CheckpointLayout(
            .huggingFace,
            rules: joined + [
                KeyRule("text_projection.*", "text_model.head.*"),
                // Vectors of one number there, bare numbers here.
                KeyRule("logit_*", "logit_*", leadingAxes: 1),
            ])
    }()

    /// The layout in which transformers keeps a model of this configuration.
    package static func huggingFace(_ configuration: DualEncoderConfiguration) -> CheckpointLayout {
        configuration.vision.pooling == .attention ? huggingFaceSigLIP : huggingFace
    }
}

extension CheckpointLayout {
    /// The variant of this layout in a file; versions of programs differ in one format.
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
        var added = [KeyRule]()
        if family == .huggingFace, names.contains(where: { $0.hasSuffix("LayerNorm.gamma") }) {
            added.append(KeyRule("*LayerNorm.weight", "*LayerNorm.gamma"))
            added.append(KeyRule("*LayerNorm.bias", "*LayerNorm.beta"))
        }
        if names.contains(where: { $0.hasPrefix(prefix + "vision_model.vision_model.") }) {
            added.append(KeyRule("vision_model.*", "vision_model.vision_model.*"))
        }
        for name in ["logit_scale", "logit_bias"] {
            guard let shape = checkpoint[prefix + name]?.entry.shape, shape.isEmpty || shape == [1] else { continue }
            added.append(KeyRule(name, name, leadingAxes: shape.count))
        }
        return CheckpointLayout(family, rules: added + rules, prefix: prefix, root: root, others: others)
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
        return try CheckpointLayout(family, rules: rules, root: hasRoot ? "" : root, others: others).fitted(
            to: checkpoint, by: name)
    }

    /// The prefix of a name in the file; empty if the name is not in the file.
    private static func prefix(of name: String, in names: [String], path: String) throws(ConcordError) -> String {
        // The heads of a language model stand beside the prefix, so not every name has it.
        guard !names.contains(name) else { return "" }
        let found = names.filter { $0.hasSuffix("." + name) }.map { String($0.dropLast(name.utf8.count)) }
        guard found.count < 2 else {
            let list = found.map { "`\($0)`" }.joined(separator: ", ")
            throw ConcordError(
                .invalidCheckpoint,
                "\(path) holds several models, whose names begin with \(list); save only the one to load")
        }
        return found.first ?? ""
    }
}
