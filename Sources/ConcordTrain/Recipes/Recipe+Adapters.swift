import ConcordCore
import ConcordNN

extension Recipe {
    /// `train.lora`: low-rank adapters that are trained in place of the towers' own weights.
    public struct AdapterSection: Sendable {
        /// 0 trains without adapters.
        public var rank: Int
        public var alpha, dropout: Double
        public var targets: [LowRankAdaptation.Target]
        public var towers: [Tower]

        init(_ read: inout RecipeReader) throws {
            rank = try read.integer(
                "train.lora.rank", 0, in: 0...4096,
                "Width of the low-rank adapters (LoRA) that are trained in place of weights; 0 trains without.")
            alpha = try read.number(
                "train.lora.alpha", 16, in: 1e-6...1e6, "What an adapter adds is scaled by alpha / rank.")
            dropout = try read.number(
                "train.lora.dropout", 0, in: 0...0.95, "Chance that a value of an adapter's input is left out.")
            targets = try read.choices(
                "train.lora.targets", LowRankAdaptation.Target.allCases,
                "Layers of each block that get adapters: q, k, v, out (attention), mlp (both layers).")
            towers = try read.choices(
                "train.lora.towers", Tower.allCases,
                "Towers whose weights stay while adapters learn: image, text; a saved model has them merged in.")
            let given = ["alpha", "dropout", "targets", "towers"].map { "train.lora." + $0 }.filter(read.isGiven)
            guard rank > 0 || given.isEmpty else {
                throw read.contradiction("\(given[0]) says nothing while train.lora.rank is 0; give a rank, such as 8")
            }
            for (name, isEmpty) in [("targets", targets.isEmpty), ("towers", towers.isEmpty)] where isEmpty {
                throw read.contradiction("train.lora.\(name) is empty; name at least one, or leave the key out")
            }
        }

        /// What the store of the model is told; nil without adapters.
        var adaptation: LowRankAdaptation? {
            rank == 0
                ? nil
                : LowRankAdaptation(
                    rank: rank, alpha: alpha, dropout: dropout, targets: Set(targets), roots: Set(towers.map(\.root)))
        }
    }
}
