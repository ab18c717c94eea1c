import ConcordCheckpoint
import ConcordCore
import ConcordLosses
import ConcordModels

extension Recipe {
    /// `loss`: what pulls images to their captions and pushes the others away, and how it is computed.
    public struct LossSection: Sendable {
        public enum Kind: String, Sendable, CaseIterable {
            /// CLIP's: which of the batch is mine?
            case infonce
            /// SigLIP's: is this pair one?
            case siglip
            /// Negatives are to be farther than positives, by a margin.
            case triplet
        }

        public enum Objective: String, Sendable, CaseIterable {
            /// Compares images with captions.
            case contrastive
            /// Predicts the tokens of captions.
            case captioning
        }

        public enum Plan: String, Sendable, CaseIterable {
            /// All scores at once.
            case dense
            /// A block of rows of the scores at a time.
            case tiled
            /// Tiled, and the towers see a chunk of the batch at a time.
            case cached
        }

        private static let minings: KeyValuePairs<String, TripletMining> = [
            "any": .any, "all": .all, "hard": .hard, "easy": .easy, "semi-hard": .semiHard, "batch-hard": .batchHard,
            "batch-semi-hard": .batchSemiHard,
        ]
        private static let distances: KeyValuePairs<String, EmbeddingDistance> = [
            "cosine": .cosine, "euclidean": .euclidean(), "squared-euclidean": .squaredEuclidean,
        ]

        /// Empty takes all that the model can learn by.
        public var objectives: [Objective]
        public var kind: Kind
        /// Nil learns.
        public var temperature: Double?
        /// Nil takes that of the kind, or of the model that the run starts from.
        package var initialTemperature, initialBias: Double?
        public var plan: Plan
        public var tileRows, chunk: Int
        public var labelSmoothing, hardness: Double
        public var isDecoupled: Bool
        public var duplicates: DuplicatePolicy
        public var margin: Double
        public var mining: TripletMining
        public var penalty: TripletPenalty
        public var distance: EmbeddingDistance
        public var matryoshka: [Int]
        /// The pairs of modalities that are compared, with their weights; empty takes all that the model has.
        public var pairs: [Pair: Double]
        package var contrastiveWeight, captionWeight, captionLabelSmoothing: Double
        /// The keys that only a CoCa has a use for, as far as the recipe has them.
        let givenCaptionKeys: [String]

        init(_ read: inout RecipeReader) throws {
            objectives = try read.choices(
                "loss.objectives", [],
                "Objectives that are trained for: contrastive (images against captions, by loss.kind), captioning (the "
                    + "tokens of captions, with a CoCa). Empty takes all that the model can do; the loss is their sum by "
                    + "weight.")
            kind = try read.choice(
                "loss.kind", Kind.infonce,
                "Loss: infonce (CLIP), siglip (pairwise sigmoid) or triplet; each in both directions.")
            let temperatures = 1e-4...100.0
            temperature = try read.number(
                "loss.temperature", or: "learned", in: temperatures,
                "Softmax temperature: learned, or a fixed value.")
            initialTemperature = try read.optionalNumber(
                "loss.initial_temperature", in: temperatures,
                "Initial value of a learned temperature; empty takes 0.07 (siglip 0.1), or that of model.start.")
            initialBias = try read.optionalNumber(
                "loss.initial_bias", in: -1000...1000,
                "Initial logit bias of siglip; empty takes -10, or that of model.start.")
            plan = try read.choice(
                "loss.plan", Plan.dense,
                "Computation: dense, tiled (less memory for scores) or cached (GradCache: less for the "
                    + "towers, too); same results.")
            tileRows = try read.integer(
                "loss.tile_rows", ScorePlan.defaultRows, in: 1...1_000_000,
                "Rows of the score matrix in memory at a time, for tiled and cached.")
            chunk = try read.integer(
                "loss.chunk", 64, in: 1...1_000_000,
                "Images, with their captions, per forward pass of the towers, for cached.")
            labelSmoothing = try read.number(
                "loss.label_smoothing", 0, in: 0...0.99,
                "Label smoothing of infonce.")
            hardness = try read.number(
                "loss.hardness", 0, in: 0...1000,
                "Emphasis on hard negatives of infonce: each negative's logit is raised by this multiple of "
                    + "its cosine.")
            isDecoupled = try read.flag(
                "loss.decoupled", false,
                "Leave the positives out of the denominator of infonce (DCL).")
            duplicates = try read.choice(
                "loss.duplicates", DuplicatePolicy.negatives,
                "Images with the same caption count as negatives, ignored or positives of each other.")
            margin = try read.number(
                "loss.margin", 0.2, in: 0...100,
                "Margin of triplet.")
            mining = try read.choice(
                "loss.mining", "all", among: Self.minings,
                "Triplets used: any, all within the margin, hard, semi-hard, easy, batch-hard or "
                    + "batch-semi-hard.")
            penalty = try read.choice(
                "loss.penalty", TripletPenalty.hinge,
                "Penalty of a triplet: hinge, or softplus (the soft margin).")
            distance = try read.choice(
                "loss.distance", "cosine", among: Self.distances,
                "Distance of triplet: cosine (1 − cosine), euclidean or squared-euclidean.")
            matryoshka = try read.integers(
                "loss.matryoshka", [], in: 1...65536,
                "Matryoshka widths: the loss is the mean over these numbers of leading columns of the "
                    + "embeddings.")
            pairs = try read.weights(
                "loss.pairs", [:],
                "Pairs of modalities that are compared, with their weights: image-text, audio-text, image-audio; pairs not "
                    + "listed are not. Empty compares all that the model has towers for."
            ).reduce(into: [:]) { pairs, entry in
                guard let pair = Pair(rawValue: entry.key) else {
                    throw read.contradiction(
                        "loss.pairs has no \(entry.key); there are "
                            + Pair.allCases.map(\.rawValue).joined(separator: ", "))
                }
                pairs[pair] = entry.value
            }
            contrastiveWeight = try read.number(
                "loss.contrastive_weight", 1, in: 0...1000,
                "Weight of CoCa's contrastive loss; 0 leaves it out.")
            captionWeight = try read.number(
                "loss.caption_weight", 2, in: 0...1000,
                "Weight of CoCa's caption loss; 0 leaves it out.")
            captionLabelSmoothing = try read.number(
                "loss.caption_label_smoothing", 0, in: 0...0.99,
                "Label smoothing of CoCa's caption loss.")
            givenCaptionKeys = ["contrastive_weight", "caption_weight", "caption_label_smoothing"].filter {
                read.isGiven("loss." + $0)
            }
            try refuseContradictions(read)
        }

        private func refuseContradictions(_ read: RecipeReader) throws(ConcordError) {
            let weights = [(Objective.contrastive, contrastiveWeight), (.captioning, captionWeight)]
            guard weights.contains(where: { isWanted($0) && $1 > 0 }) else {
                throw read.contradiction(
                    objectives.isEmpty
                        ? "loss.contrastive_weight and loss.caption_weight are both 0, which leaves nothing to learn from"
                        : "the objectives of loss.objectives have a weight of 0, which leaves nothing to learn from")
            }
            guard pairs.isEmpty || pairs.values.contains(where: { $0 > 0 }) else {
                throw read.contradiction("all of loss.pairs have a weight of 0, which leaves nothing to compare")
            }
            for (objective, keys) in [
                (Objective.contrastive, ["contrastive_weight"]),
                (.captioning, ["caption_weight", "caption_label_smoothing"]),
            ] where !isWanted(objective) {
                for key in keys where read.isGiven("loss." + key) {
                    throw read.contradiction(
                        "loss.\(key) is for the objective \(objective.rawValue), which loss.objectives does not list; add "
                            + "it, or leave the key out")
                }
            }
            let keys: [(keys: [String], kinds: [Kind])] = [
                (["temperature", "initial_temperature"], [.infonce, .siglip]), (["initial_bias"], [.siglip]),
                (["label_smoothing", "hardness", "decoupled"], [.infonce]),
                (["margin", "mining", "penalty", "distance"], [.triplet]),
            ]
            for (keys, kinds) in keys where !kinds.contains(kind) {
                for key in keys where read.isGiven("loss." + key) {
                    let names = kinds.map(\.rawValue).joined(separator: " and ")
                    throw read.contradiction(
                        "loss.\(key) is for the loss.kind \(names), and this one is \(kind.rawValue); leave it out")
                }
            }
            if temperature != nil, initialTemperature != nil {
                throw read.contradiction(
                    "loss.initial_temperature is for a learned temperature, but loss.temperature is a number; "
                        + "leave one out")
            }
            for (key, plans) in [("tile_rows", [Plan.tiled, .cached]), ("chunk", [.cached])]
            where read.isGiven("loss." + key) && !plans.contains(plan) {
                let names = plans.map(\.rawValue).joined(separator: " or ")
                throw read.contradiction(
                    "loss.\(key) has no effect with the loss.plan \(plan.rawValue); leave it out, or choose \(names)")
            }
            guard kind == .triplet else { return }
            if mining == .easy, penalty == .hinge {
                throw read.contradiction(
                    "loss.mining easy takes triplets beyond the margin, and loss.penalty hinge is 0 there; take softplus, "
                        + "or other triplets")
            }
            if mining == .semiHard, margin == 0 {
                throw read.contradiction(
                    "loss.mining semi-hard takes triplets within the margin, and loss.margin is 0; give one, such as 0.2"
                )
            }
        }
    }
}

// The loss itself.
extension Recipe.LossSection {
    private func isWanted(_ objective: Objective) -> Bool { objectives.isEmpty || objectives.contains(objective) }

    /// Whether the loss asks which captions of a batch read the same.
    var needsGroups: Bool { duplicates != .negatives }

    /// The execution plan of a batch through towers and loss.
    ///
    /// - Parameters:
    ///   - parts: those of `train.accumulate`: one pass each, with gradient caching, so that a contrastive loss compares
    ///     all pairs of the batch.
    ///   - rowCount: the most rows of a batch that a process has.
    func executionPlan(accumulating parts: Int, rowCount: Int) -> ExecutionPlan {
        let scores: ScorePlan = plan == .dense ? .dense : .tiled(rows: tileRows)
        if parts > 1 { return .cached(chunk: (rowCount + parts - 1) / parts, scores: scores) }
        return plan == .cached ? .cached(chunk: chunk, scores: scores) : .whole(scores)
    }

    /// The objectives, each with its weight; one of weight 0 is left out.
    ///
    /// - Throws: as ``makeLoss(for:)``.
    func makeObjectives(for model: any ImageTextEncoder) throws(ConcordError) -> [any TrainingObjective] {
        var result = [any TrainingObjective]()
        let captioner = model as? any CaptioningModel
        // A model that compares only has one term, whose weight would be a learning rate.
        let weight = captioner == nil ? 1 : contrastiveWeight
        if isWanted(.contrastive), weight > 0 {
            for pair in comparedPairs(hasAudio: model is any AudioEncoder) {
                result.append(
                    ContrastiveObjective(
                        try makeLoss(for: model), between: pair.pair.modalities.first, and: pair.pair.modalities.second,
                        weight: weight * pair.weight, matryoshkaWidths: matryoshka, name: pair.pair.name))
            }
        }
        if let captioner, isWanted(.captioning), captionWeight > 0 {
            let loss = CaptionLoss(
                ignoredLabel: captioner.textTransformer.padToken, labelSmoothing: captionLabelSmoothing)
            result.append(CaptioningObjective(captioner, loss: loss, weight: captionWeight))
        }
        return result
    }

    /// The pairs that are compared, each with its weight, in the order of their names' cases.
    private func comparedPairs(hasAudio: Bool) -> [(pair: Pair, weight: Double)] {
        let possible = hasAudio ? Pair.allCases : [.imageText]
        guard !pairs.isEmpty else { return possible.map { ($0, 1) } }
        return possible.compactMap { pair in pairs[pair].flatMap { $0 > 0 ? (pair, $0) : nil } }
    }

    /// The contrastive loss over the model's scale and bias.
    ///
    /// - Throws: `.invalidArgument` for values that the loss refuses.
    func makeLoss(for model: any ImageTextEncoder) throws(ConcordError) -> any ContrastiveLoss {
        switch kind {
        case .infonce:
            var loss = InfoNCE(logitScale: model.logitScale)
            loss.duplicates = duplicates
            loss.labelSmoothing = labelSmoothing
            loss.hardness = hardness
            loss.isDecoupled = isDecoupled
            return loss
        case .siglip:
            guard let bias = model.logitBias else {
                throw ConcordError(.invalidConfiguration, "loss.kind siglip needs a model with a logit bias")
            }
            var loss = SigmoidLoss(logitScale: model.logitScale, logitBias: bias)
            loss.duplicates = duplicates
            return loss
        case .triplet:
            var loss = try TripletMarginLoss(
                margin: margin, distance: distance, penalty: penalty, mining: mining)
            loss.isSymmetric = true
            loss.duplicates = duplicates
            return loss
        }
    }
}
