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
}
