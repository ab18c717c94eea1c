import ConcordTensor

/// Which linear layers of a model get low-rank adapters, and of which size (LoRA, Hu et al. 2021).
public struct LowRankAdaptation: Sendable, Hashable {
    /// What a linear layer is for, in a transformer block of either kind.
    public enum Target: String, Sendable, Hashable, CaseIterable {
        /// The projections of attention to queries, keys and values, and the one behind it.
        case q, k, v, out
        /// Both layers of the perceptron.
        case mlp
    }

    /// Width of the bottleneck between the two matrices of an adapter.
    public var rank: Int
    /// What an adapter adds is scaled by `alpha / rank`.
    public var alpha: Double
    /// The chance that a value of an adapter's input is left out while training.
    public var dropout: Double
    public var targets: Set<Target>
    /// The first components of the names of the parameters whose layers are meant, such as `vision_model`.
    public var roots: Set<String>

    public init(rank: Int, alpha: Double, dropout: Double = 0, targets: Set<Target>, roots: Set<String>) {
        self.rank = rank
        self.alpha = alpha
        self.dropout = dropout
        self.targets = targets
        self.roots = roots
    }
}

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

extension ParameterStore {
    /// Runs `body` with every adapter's product added to the weight of its layer, and puts the weights back, bit for bit.
    ///
    /// Inside, the model is a plain one that computes the same.
    public func withMergedAdapters<Result>(_ body: () throws -> Result) rethrows -> Result {
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
