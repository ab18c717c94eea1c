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
