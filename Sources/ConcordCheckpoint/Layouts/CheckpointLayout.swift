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
