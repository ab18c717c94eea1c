import ConcordTensor

/// What training adds to a linear layer whose own weight stays: `(alpha / rank) · B(A(x))` (LoRA, Hu et al. 2021).
///
/// `A` starts like torch's linear layers, as in the authors' code, and `B` at zero, so that training starts from the
/// layer as it was. The addition is computed beside the layer's product and not merged into its weight: a merged weight
/// would need a gradient of its own size, a third of the layer's arithmetic, and could not leave out parts of its input.
public final class LowRankAdapter {
    /// `A`, `[rank, inputs]`.
    public let down: Tensor
    /// `B`, `[outputs, rank]`.
    public let up: Tensor
    /// The weight of the layer, `[outputs, inputs]`.
    public let weight: Tensor
    private let scale: Double
    private let dropout: Dropout
    /// Whether the weight holds the addition already.
    private var isMerged = false

    init(_ scope: ParameterScope, _ adaptation: LowRankAdaptation, weight: Tensor) {
        let (outputs, inputs) = (weight.shape[0], weight.shape[1])
        down = scope.adapterParameter("lora_A.weight", [adaptation.rank, inputs], .fanIn(inputs))
        up = scope.adapterParameter("lora_B.weight", [outputs, adaptation.rank], .zeros)
        self.weight = weight
        scale = adaptation.alpha / Double(adaptation.rank)
        dropout = Dropout(scope, probability: adaptation.dropout)
    }

    /// What is added to the layer's result, `[…, inputs] → […, outputs]`; nil while it is part of the weight.
    func addition(_ x: Tensor) -> Tensor? {
        isMerged ? nil : .linear(.linear(dropout(x), weight: down), weight: up) * scale
    }

    /// Adds the product to the weight and returns what the weight was.
    func merge() -> Tensor {
        let kept = weight.cloned()
        weight.formAdd(up.matmul(down), scale: scale)
        isMerged = true
        return kept
    }

    /// Puts the weight back, bit for bit.
    func unmerge(_ kept: Tensor) {
        weight.copy(from: kept)
        isMerged = false
    }
}
