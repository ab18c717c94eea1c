import ConcordCore

/// How a file format spells and arranges the parameters of a model.
///
/// Models know their parameters by one set of names: those of transformers' `CLIPModel`, with `text_projection` and
/// `visual_projection` for whatever maps to the embedding, and those of `BertModel` for a BERT tower. A layout says
/// under which name, and in which form, a file holds each of them; one rule serves reading and writing.
public struct CheckpointLayout: Sendable, Hashable {
    /// Who wrote, or will read, the file.
    public enum Family: String, Sendable, Hashable, CaseIterable {
        case huggingFace = "huggingface"
        case openCLIP = "open_clip"
    }

    public let family: Family
    /// The first that fits a name counts; a name that none fits is the file's own.
    let rules: [NameRule]
    /// What stands before every name in the file.
    let prefix: String
    /// What the file leaves out in front of names: that of its tower, where it holds one tower alone.
    let root: String

    init(_ family: Family, rules: [NameRule] = [], prefix: String = "", root: String = "") {
        self.family = family
        self.rules = rules
        self.prefix = prefix
        self.root = root
    }

    /// transformers' `CLIPModel`, `VisionTextDualEncoderModel`, `BertModel` and their kin: the names are the model's own.
    public static let huggingFace = CheckpointLayout(.huggingFace)

    /// Where a file of this layout holds the parameter of that name.
    public func place(of parameter: String) -> TensorPlace {
        var place = rules.lazy.compactMap { $0.place(of: parameter) }.first ?? TensorPlace(parameter)
        if place.name.hasPrefix(root) { place.name = String(place.name.dropFirst(root.count)) }
        place.name = prefix + place.name
        return place
    }

    /// The tensors that a file of this layout has, given the parameters of a model; each once, in their order.
    public func tensors(of parameters: [KeyReport.Key]) -> [KeyReport.Key] {
        parameters.compactMap { parameter in
            let place = place(of: parameter.name)
            return place.part == 0 ? KeyReport.Key(place.name, place.fileShape(parameter.shape)) : nil
        }
    }

    /// The rules of a stack of pre-norm blocks.
    ///
    /// - Parameters:
    ///   - model: what stands before the number of a block in the model's names.
    ///   - file: what stands before it in the file.
    ///   - own: the model's name of the attention.
    static func blocks(
        _ model: String, _ file: String, attention: (joined: String, output: String), norms: String,
        perceptron: (up: String, down: String), scales: String,
        own: String = "self_attn"
    ) -> [NameRule] {
        let model = model + ".*.", file = file + ".*."
        let joined = ["q_proj", "k_proj", "v_proj"].enumerated().map { part, name in
            NameRule(model + "\(own).\(name).*", file + attention.joined + "*", part: part, of: 3)
        }
        return joined + [
            NameRule(model + "\(own).out_proj.*", file + attention.output + ".*"),
            NameRule(model + "layer_norm1.*", file + norms + "1.*"),
            NameRule(model + "layer_norm2.*", file + norms + "2.*"),
            NameRule(model + "mlp.fc1.*", file + perceptron.up + ".*"),
            NameRule(model + "mlp.fc2.*", file + perceptron.down + ".*"),
            NameRule(model + "layer_scale1.weight", file + scales + "1.gamma"),
            NameRule(model + "layer_scale2.weight", file + scales + "2.gamma"),
        ]
    }
}

/// One line of the table that turns a model's parameter names into a file's.
///
/// In both names each `*` stands for the same run of characters, as short as fits: a layer's number, or `weight` and
/// `bias`.
struct NameRule: Sendable, Hashable {
    private let pieces: [String]
    /// Where the file holds what fits, with `*` in the name.
    private let place: TensorPlace

    init(
        _ parameter: String, _ name: String, part: Int = 0, of parts: Int = 1, isTransposed: Bool = false,
        leadingAxes: Int = 0
    ) {
        pieces = parameter.split(separator: "*", omittingEmptySubsequences: false).map(String.init)
        place = TensorPlace(name, part: part, of: parts, isTransposed: isTransposed, leadingAxes: leadingAxes)
    }

    /// Where the file holds the parameter; nil for one that the rule is not about.
    func place(of parameter: String) -> TensorPlace? {
        guard let runs = runs(in: parameter) else { return nil }
        let around = place.name.split(separator: "*", omittingEmptySubsequences: false)
        var result = place
        result.name = around.dropFirst().enumerated().reduce(String(around[0])) { name, piece in
            name + (piece.offset < runs.count ? runs[piece.offset] : "") + piece.element
        }
        return result
    }

    /// What the stars stand for; nil when the name does not fit.
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

/// Where a checkpoint file holds a parameter, and in which form.
public struct TensorPlace: Sendable, Hashable {
    /// The tensor's name in the file.
    public var name: String
    /// Which of `parts` equal slices of the tensor's first axis the parameter is.
    public var part: Int
    public var parts: Int
    /// Whether the file holds the parameter's transpose.
    public var isTransposed: Bool
    /// Axes of length 1 that the file has in front.
    public var leadingAxes: Int

    public init(_ name: String, part: Int = 0, of parts: Int = 1, isTransposed: Bool = false, leadingAxes: Int = 0) {
        self.name = name
        self.part = part
        self.parts = parts
        self.isTransposed = isTransposed
        self.leadingAxes = leadingAxes
    }

    /// The shape that the file's tensor has, given the parameter's.
    public func fileShape(_ shape: [Int]) -> [Int] {
        var shape = isTransposed ? Array(shape.reversed()) : shape
        if parts > 1, !shape.isEmpty { shape[0] *= parts }
        return Array(repeating: 1, count: leadingAxes) + shape
    }
}

extension CheckpointLayout {
    /// transformers' `SiglipModel`: the text projection is the text model's head, the pooling's q, k and v are one.
    ///
    /// Follows `models/siglip/modeling_siglip.py` of transformers 5.23.
    public static let huggingFaceSigLIP: CheckpointLayout = {
        let attention = "vision_model.head.attention."
        // torch's nn.MultiheadAttention stacks the three.
        let joined = ["q_proj", "k_proj", "v_proj"].enumerated().map { part, name in
            NameRule(attention + name + ".*", attention + "in_proj_*", part: part, of: 3)
        }
        return CheckpointLayout(
            .huggingFace,
            rules: joined + [
                NameRule("text_projection.*", "text_model.head.*"),
                // Vectors of one number there, bare numbers here.
                NameRule("logit_*", "logit_*", leadingAxes: 1),
            ])
    }()

    /// The layout in which transformers keeps a model of this configuration.
    public static func huggingFace(_ configuration: DualEncoderConfiguration) -> CheckpointLayout {
        configuration.vision.pooling == .attention ? huggingFaceSigLIP : huggingFace
    }
}

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
