import ConcordTensor

/// Settings of low-rank adapters (LoRA, Hu et al. 2021): their size, and the linear layers that get one.
public struct LowRankAdaptation: Sendable, Hashable {
    /// The role of a linear layer in a transformer block.
    public enum Target: String, Sendable, Hashable, CaseIterable {
        /// The projections of attention to queries, keys and values, and its output projection.
        case q, k, v, out
        /// Both layers of the perceptron.
        case mlp
    }

    /// Width of the bottleneck between the two matrices of an adapter.
    package var rank: Int
    /// Scales the adapter's addition, by `alpha / rank`.
    package var alpha: Double
    /// Dropout probability of an adapter's input while training.
    package var dropout: Double
    package var targets: Set<Target>
    /// First name components of the adapted layers, such as `vision_model`.
    package var roots: Set<String>

    public init(rank: Int, alpha: Double, dropout: Double = 0, targets: Set<Target>, roots: Set<String>) {
        self.rank = rank
        self.alpha = alpha
        self.dropout = dropout
        self.targets = targets
        self.roots = roots
    }
}

/// A trained addition to a linear layer with a frozen weight: `(alpha / rank) · B(A(x))` (LoRA, Hu et al. 2021).
///
/// `A` starts like torch's linear layers, as in the authors' code, and `B` at zero, so that training starts from the
/// layer as it was. The addition is computed beside the layer's product and not merged into its weight: a merged weight
/// would need a gradient of its full size, a third of the layer's arithmetic, and could not drop parts of its input.
public final class LowRankAdapter {
    /// `A`, `[rank, inputs]`.
    package let down: Tensor
    /// `B`, `[outputs, rank]`.
    package let up: Tensor
    /// The weight of the layer, `[outputs, inputs]`.
    package let weight: Tensor
    private let scale: Double
    private let dropout: Dropout
    /// Whether the weight includes the addition.
    private var isMerged = false

    init(_ scope: ParameterScope, _ adaptation: LowRankAdaptation, weight: Tensor) {
        let (outputs, inputs) = (weight.shape[0], weight.shape[1])
        down = scope.adapterParameter("lora_A.weight", [adaptation.rank, inputs], .fanIn(inputs))
        up = scope.adapterParameter("lora_B.weight", [outputs, adaptation.rank], .zeros)
        self.weight = weight
        scale = adaptation.alpha / Double(adaptation.rank)
        dropout = Dropout(scope, probability: adaptation.dropout)
    }

    /// The addition to the layer's result, `[…, inputs] → […, outputs]`; nil while it is part of the weight.
    func addition(_ x: Tensor) -> Tensor? {
        isMerged ? nil : .linear(.linear(dropout(x), weight: down), weight: up) * scale
    }

    /// Adds the product to the weight and returns the former weight.
    func merge() -> Tensor {
        let kept = weight.cloned()
        weight.formAdd(up.matmul(down), scale: scale)
        isMerged = true
        return kept
    }

    /// Restores the weight, bit for bit.
    func unmerge(_ kept: Tensor) {
        weight.copy(from: kept)
        isMerged = false
    }
}

extension ParameterStore {
    /// Runs `body` with every adapter merged into the weight of its layer, and restores the weights, bit for bit.
    ///
    /// Inside, the model computes the same without adapters.
    package func withMergedAdapters<Result>(_ body: () throws -> Result) rethrows -> Result {
        guard !adapters.isEmpty, !hasMergedAdapters else { return try body() }
        hasMergedAdapters = true
        let kept = withoutGradient { adapters.map { $0.merge() } }
        defer {
            withoutGradient { for (adapter, weight) in zip(adapters, kept) { adapter.unmerge(weight) } }
            hasMergedAdapters = false
        }
        return try body()
    }
}
