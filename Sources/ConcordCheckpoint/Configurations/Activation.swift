import ConcordCore

/// The function between the two linear layers of a block. Weights trained with one lose accuracy with another.
///
/// The raw values are those of `hidden_act` in Hugging Face's configurations.
public enum Activation: String, Sendable, Hashable, CaseIterable {
    /// x·σ(1.702·x), OpenAI's approximation.
    case quickGELU = "quick_gelu"
    /// x·Φ(x), the exact form with the error function.
    case gelu
    /// The approximation of x·Φ(x) by tanh, which SigLIP uses.
    case tanhGELU = "gelu_pytorch_tanh"

    /// The function that transformers calls by one of its many names; nil for another function.
    ///
    /// Names of one function differ in the last bits at most (`activations.py` of transformers 5.23).
    init?(transformersName name: String) {
        switch name {
        case "quick_gelu": self = .quickGELU
        case "gelu", "gelu_python": self = .gelu
        case "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_new", "gelu_fast", "gelu_accurate": self = .tanhGELU
        default: return nil
        }
    }
}

extension JSONFields {
    /// An activation by transformers' name.
    func activation(_ name: String, default standard: Activation) throws(ConcordError) -> Activation {
        let text = try string(name, default: standard.rawValue)
        guard let activation = Activation(transformersName: text) else {
            let known = Activation.allCases.map(\.rawValue).joined(separator: ", ")
            throw failure(name, "is `\(text)`, which is not supported; known are: \(known)")
        }
        return activation
    }
}
