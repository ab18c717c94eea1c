import ConcordCheckpoint
import ConcordCore
import ConcordLosses
import ConcordModels
import ConcordNN
import ConcordTensor
import Foundation

/// What the loss of a recipe asks of the model, and the loss itself.
struct TrainingLoss {
    private let section: Recipe.LossSection

    init(_ section: Recipe.LossSection) { self.section = section }

    // MARK: The model

    /// Where SigLIP's training begins (Zhai et al. 2023): a factor of 10 on cosines, and a bias by which most pairs are
    /// none.
    private static let sigmoidStart = (temperature: 0.1, bias: -10.0)

    /// Gives a configuration the logit scale and bias that the loss begins with.
    ///
    /// - Parameter start: the folder whose scale and bias are loaded; nil where they are new.
    /// - Throws: `.invalidConfiguration` for widths that the embeddings do not have, and for a start without the bias
    ///   that the loss needs.
    func configure(_ configuration: inout DualEncoderConfiguration, start: String?) throws(ConcordError) {
        try checkWidths(configuration.projectionWidth)
        if start == nil {
            if section.kind == .siglip {
                configuration.initialLogitScale = -log(Self.sigmoidStart.temperature)
                configuration.initialLogitBias = Self.sigmoidStart.bias
            }
            // Written into the model's configuration, too.
            if let temperature { configuration.initialLogitScale = -log(temperature) }
            if let bias = section.initialBias { configuration.initialLogitBias = bias }
        } else if section.kind == .siglip, configuration.initialLogitBias == nil {
            throw ConcordError(
                .invalidConfiguration,
                "loss.kind siglip needs a logit bias, which \(start ?? "the model") of model.start has not; name it as "
                    + "model.image_tower and model.text_tower, and scale and bias are new, or take loss.kind infonce")
        }
    }

    /// Throws `.invalidConfiguration` for what the model that is trained has no use for, or cannot do.
    func check(_ architecture: ModelFolder.Architecture) throws(ConcordError) {
        guard case .coca = architecture else {
            guard let key = section.givenCaptionKeys.first else { return }
            throw ConcordError(
                .invalidConfiguration,
                "loss.\(key) is for a CoCa, and this model has no decoder; leave it out, or choose model.kind coca")
        }
        guard section.kind != .siglip else {
            throw ConcordError(
                .invalidConfiguration,
                "loss.kind siglip needs a logit bias, which a CoCa has not; take loss.kind infonce or triplet")
        }
        guard section.matryoshka.isEmpty else {
            throw ConcordError(
                .invalidConfiguration, "loss.matryoshka is for models without a decoder; leave it out for a CoCa")
        }
    }

    private var temperature: Double? { section.temperature ?? section.initialTemperature }

    private func checkWidths(_ width: Int) throws(ConcordError) {
        let widths = section.matryoshka
        guard let widest = widths.max() else { return }
        let list = widths.map(String.init).joined(separator: ", ")
        guard widest == width else {
            throw ConcordError(
                .invalidConfiguration,
                "loss.matryoshka is [\(list)] and the embeddings have \(width) columns; the widest must be \(width), or "
                    + "columns would stay untrained or be missing")
        }
        guard Set(widths).count == widths.count else {
            throw ConcordError(.invalidConfiguration, "loss.matryoshka [\(list)] names a width twice; name each once")
        }
    }

    /// Sets what the recipe fixes, and stops the training of a scale or bias that the loss has no use for.
    func prepare(_ model: any ImageTextEncoder) {
        withoutGradient {
            if let temperature { model.logitScale.fill(-log(temperature)) }
            if let bias = section.initialBias { model.logitBias?.fill(bias) }
        }
        model.store.freeze { parameter in
            switch parameter.name {
            case "logit_scale": section.kind == .triplet || section.temperature != nil
            case "logit_bias": section.kind != .siglip
            default: false
            }
        }
    }

    /// What is odd about the model that will be saved, for the user.
    func notes(_ architecture: ModelFolder.Architecture) -> [String] {
        guard section.kind == .siglip, case .dualEncoder(let configuration) = architecture,
            (try? configuration.huggingFaceJSON()) == nil
        else { return [] }
        return [
            "transformers has no class for towers like these with a logit bias, so config.json will be Concord's own; "
                + "`concord convert --to open_clip` writes a form that others read"
        ]
    }

    // MARK: The loss

    /// Whether the loss asks which captions of a batch read the same.
    var needsLabels: Bool { section.duplicates != .negatives }

    var matryoshkaWidths: [Int] { section.matryoshka }

    var plan: ExecutionPlan {
        switch section.plan {
        case .dense: .dense
        case .tiled: .tiled(rows: section.tileRows)
        case .cached: .cached(chunk: section.chunk, scores: .tiled(rows: section.tileRows))
        }
    }

    /// Both losses of a CoCa.
    ///
    /// - Throws: as ``make(_:)``.
    func captioning(_ model: any CaptioningModel) throws(ConcordError) -> CoCaLoss {
        CoCaLoss(
            contrastive: try make(model),
            caption: CaptionLoss(
                ignoredLabel: model.textTransformer.padToken, labelSmoothing: section.captionLabelSmoothing),
            contrastiveWeight: section.contrastiveWeight, captionWeight: section.captionWeight)
    }

    /// The contrastive loss over the model's scale and bias.
    ///
    /// - Throws: `.invalidArgument` for values that the loss refuses.
    func make(_ model: any ImageTextEncoder) throws(ConcordError) -> any ContrastiveLoss {
        switch section.kind {
        case .infonce:
            var loss = InfoNCE(logitScale: model.logitScale)
            loss.duplicates = section.duplicates
            loss.labelSmoothing = section.labelSmoothing
            loss.hardness = section.hardness
            loss.isDecoupled = section.isDecoupled
            return loss
        case .siglip:
            guard let bias = model.logitBias else {
                throw ConcordError(.invalidConfiguration, "loss.kind siglip needs a model with a logit bias")
            }
            var loss = SigmoidLoss(logitScale: model.logitScale, logitBias: bias)
            loss.duplicates = section.duplicates
            return loss
        case .triplet:
            var loss = try TripletMarginLoss(
                margin: section.margin, distance: distance, penalty: section.penalty == .hinge ? .hinge : .softplus,
                mining: mining)
            loss.isSymmetric = true
            loss.duplicates = section.duplicates
            return loss
        }
    }

    private var distance: EmbeddingDistance {
        switch section.distance {
        case .cosine: .cosine
        case .euclidean: .euclidean()
        case .squaredEuclidean: .squaredEuclidean
        }
    }

    private var mining: TripletMining {
        switch section.mining {
        case .any: .any
        case .all: .all
        case .hard: .hard
        case .semiHard: .semiHard
        case .easy: .easy
        case .batchHard: .batchHard
        case .batchSemiHard: .batchSemiHard
        }
    }

    /// Labels by which captions with the same tokens are known, int64 `[captions]`.
    ///
    /// - Parameter slots: the tokens of each slot's captions. Slots are compared one by one, so that labels of one mean
    ///   nothing in another.
    static func labels(_ slots: [[[Int32]]]) -> Tensor {
        Tensor(
            slots.flatMap { captions in
                var first = [[Int32]: Int64]()
                return captions.enumerated().map { index, tokens in
                    if let label = first[tokens] { return label }
                    first[tokens] = Int64(index)
                    return Int64(index)
                }
            })
    }
}
