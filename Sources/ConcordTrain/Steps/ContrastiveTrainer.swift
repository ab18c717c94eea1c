import ConcordCheckpoint
import ConcordCore
import ConcordLosses
import ConcordModels
import ConcordNN
import ConcordTensor
import Foundation

/// Runs training steps for CLIP or CoCa. Loading batches and reporting results are up to the caller.
///
/// ``step(_:pixels:texts:labels:measures:)`` is the whole of training: embed, compare (and caption), go back, update,
/// clamp, average.
public final class ContrastiveTrainer {
    /// The captions of a step: one of every image, then a second of every image, …
    public enum Texts {
        /// Token ids `[slots · batch, tokens]`, and how many of each row are the caption's, int64 `[slots · batch]`;
        /// nil when all are. A CoCa sees by its pad token where a caption ends.
        case tokens(ids: Tensor, lengths: Tensor? = nil)
        /// Unit vectors `[slots · batch, width]` of a text tower that does not train.
        case vectors(Tensor)

        fileprivate var count: Int {
            switch self {
            case .tokens(let ids, _): ids.shape[0]
            case .vectors(let vectors): vectors.shape[0]
            }
        }
    }

    /// The settings of a trainer.
    public struct Options {
        public var schedule: LearningRateSchedule
        public var optimizer: AdamW.Options
        /// The execution plan of a batch through towers and loss; no plan changes what is learned.
        public var plan: ExecutionPlan
        /// Leading columns of the embeddings over which the loss is averaged (Kusupati et al. 2022); empty compares the
        /// whole embeddings alone.
        package var matryoshkaWidths: [Int]
        /// Lower rates for the layers near the inputs; nil gives all the same.
        package var layerDecay: LayerDecay?
        /// The element type of the matrix products: float32 or bfloat16.
        public var precision: DType
        /// The largest norm of the gradient; nil is no limit.
        package var gradientClip: Double?
        /// The decay of the moving average of the weights; nil keeps none.
        public var averageDecay: Double?
        /// The seed of dropout.
        public var seed: UInt64

        public init(
            schedule: LearningRateSchedule, optimizer: AdamW.Options = .init(), plan: ExecutionPlan = .dense,
            matryoshkaWidths: [Int] = [], layerDecay: LayerDecay? = nil, precision: DType = .float32,
            gradientClip: Double? = nil, averageDecay: Double? = nil, seed: UInt64
        ) {
            self.schedule = schedule
            self.optimizer = optimizer
            self.plan = plan
            self.matryoshkaWidths = matryoshkaWidths
            self.layerDecay = layerDecay
            self.precision = precision
            self.gradientClip = gradientClip
            self.averageDecay = averageDecay
            self.seed = seed
        }
    }

    /// The quantity that a step minimizes.
    private enum Objective {
        case contrastive(any ContrastiveLoss)
        /// Compares and captions: both losses of a CoCa.
        case captioning(any CaptioningModel, CoCaLoss)
    }

    public let model: any ImageTextEncoder
    private let objective: Objective
    private let options: Options
    let optimizer: AdamW
    let averages: ExponentialMovingAverage?

    private var plan: ExecutionPlan { options.plan }

    /// Prepares the optimizer for the parameters that are trainable now.
    ///
    /// - Parameter loss: what images and captions are compared by; nil takes CLIP's InfoNCE with the model's logit scale.
    public convenience init(
        model: any ImageTextEncoder, loss: (any ContrastiveLoss)? = nil, options: Options
    ) {
        self.init(model, .contrastive(loss ?? InfoNCE(logitScale: model.logitScale)), options)
    }

    /// Prepares the training of a captioning model by both of its losses.
    ///
    /// Of several captions of an image each is compared and written; the loss is the mean over the slots. There are no
    /// ``Options/matryoshkaWidths``.
    ///
    /// - Parameter loss: nil takes CLIP's InfoNCE with the model's logit scale, and captions twice as heavy.
    public convenience init(captioning model: any CaptioningModel, loss: CoCaLoss? = nil, options: Options) {
        let usual = CoCaLoss(
            contrastive: InfoNCE(logitScale: model.logitScale),
            caption: CaptionLoss(ignoredLabel: model.textTransformer.padToken))
        self.init(model, .captioning(model, loss ?? usual), options)
    }

    private init(_ model: any ImageTextEncoder, _ objective: Objective, _ options: Options) {
        self.model = model
        self.objective = objective
        self.options = options
        optimizer = AdamW(model.store.trainable, options: options.optimizer) {
            options.layerDecay?.factor(for: $0) ?? 1
        }
        averages = options.averageDecay.map { ExponentialMovingAverage(model.store.trainable, decay: $0) }
    }

    /// Takes one step.
    ///
    /// - Parameters:
    ///   - step: steps done before this one.
    ///   - pixels: normalized images `[batch, 3, size, size]`, float32; a cached plan moves them to the model's device
    ///     a chunk at a time.
    ///   - texts: the captions.
    ///   - labels: for every caption what the captions that say the same share, int64 `[slots · batch]`; the loss says
    ///     what such samples are to each other. Nil makes each a class of its own.
    ///   - measures: whether embeddings are measured, which costs a pass over all scores; without, those values are NaN.
    /// - Returns: what happened, without the epoch and the speed, which the caller knows.
    /// - Throws: `.tensorOperation` when the loss is not a number, `.nonFiniteValue` when an embedding is not, or what
    ///   the loss throws; the weights are as they were before the step.
    public func step(
        _ step: Int, pixels: Tensor, texts: Texts, labels: Tensor? = nil, measures: Bool = true
    ) throws(ConcordError) -> TrainingStep {
        let device = model.logitScale.device
        let slots = texts.count / pixels.shape[0]
        model.store.isTraining = true
        // Seeded by the step, dropout draws the same masks in a resumed run.
        model.store.generator.seed(RandomSource.value(seed: options.seed, stream: UInt64(step)))

        let (images, pairs) = forward(pixels, texts, labels?.to(device).chunked(slots, axis: 0), slots, device)
        let (loss, parts) = try evaluate(images, pairs, step)
        let lossValue = loss.item()
        guard lossValue.isFinite else {
            throw ConcordError(
                .tensorOperation,
                "the loss of step \(step + 1) is \(lossValue); train with a lower learning rate or a gradient clip, "
                    + "from the beginning or from an earlier checkpoint")
        }
        let scale = exp(model.logitScale.item()), bias = model.logitBias?.item()
        model.store.clearGradients()
        loss.backward()
        let gradientNorm = GradientClipping.clip(model.store.trainable, maximum: options.gradientClip)
        let learningRate = options.schedule(step)
        optimizer.step(learningRate: learningRate)
        if model.logitScale.requiresGradient { model.clampLogitScale() }
        averages?.update(step: step)

        var result = TrainingStep(
            step: step + 1, epoch: 0, loss: lossValue, learningRate: learningRate, logitScale: scale, logitBias: bias,
            gradientNorm: gradientNorm)
        result.contrastiveLoss = parts?.contrastive
        result.captionLoss = parts?.caption
        guard measures else { return result }
        result.fill(
            try pairs.map { pair throws(ConcordError) in
                try ContrastiveReport(images, pair.texts, labels: pair.labels)
            }, guessingLoss: costsLnNToGuess ? parts?.contrastive ?? lossValue : nil)
        return result
    }

    /// The captions of one slot.
    private struct Pair {
        /// Unit vectors `[batch, width]`.
        let texts: Tensor
        /// int64 `[batch]`
        let labels: Tensor?
        /// Of a CoCa: what the language head reads, `[batch, tokens, width]`, and the next tokens `[batch, tokens]`.
        var captions: (states: Tensor, labels: Tensor)?
    }

    /// Unit vectors of the images, `[batch, width]`, and all that the loss needs of each slot of captions.
    private func forward(
        _ pixels: Tensor, _ texts: Texts, _ labels: [Tensor]?, _ slots: Int, _ device: Device
    ) -> (images: Tensor, pairs: [Pair]) {
        guard case .captioning(let captioner, _) = objective, case .tokens(let ids, _) = texts else {
            let images = precise(embed([pixels], device) { [model] in model.embedImages($0[0]) })
            let captions = precise(embed(texts, device)).chunked(slots, axis: 0)
            return (images, captions.enumerated().map { Pair(texts: $1, labels: labels?[$0]) })
        }
        // [slots · B, T] → [B, slots, T]: an image and its captions go through the model together.
        let captions = ids.reshaped([slots, pixels.shape[0], -1]).transposed(0, 1)
        let joined = embed([pixels, captions], device) { captioner.joined($0[0], $0[1]) }
        let output = captioner.output(joined: precise(joined), captions.to(device))
        func slot(_ rows: Tensor, _ index: Int) -> Tensor {  // [B · slots, …] → [B, …]
            slots == 1 ? rows : rows.reshaped([-1, slots] + rows.shape.dropFirst()).selected(axis: 1, at: index)
        }
        return (
            output.images,
            (0..<slots).map {
                Pair(
                    texts: slot(output.texts, $0), labels: labels?[$0],
                    captions: (slot(output.states, $0), slot(output.labels, $0)))
            }
        )
    }

    /// The mean of the loss over the slots of captions, and of the two losses of a CoCa.
    private func evaluate(
        _ images: Tensor, _ pairs: [Pair], _ step: Int
    ) throws(ConcordError) -> (total: Tensor, parts: (contrastive: Double, caption: Double)?) {
        var total = Tensor(0), contrastive = 0.0, caption = 0.0
        do {
            for pair in pairs {
                switch (objective, pair.captions) {
                case (.captioning(let model, let loss), let captions?):
                    let value = try loss(
                        images: images, texts: pair.texts, states: captions.states, head: model.languageHead,
                        captions: captions.labels, labels: pair.labels, plan: plan.scores)
                    total = total + value.total / Double(pairs.count)
                    contrastive += value.contrastive.item() / Double(pairs.count)
                    caption += value.caption.item() / Double(pairs.count)
                default: total = try total + compare(images, pair) / Double(pairs.count)
                }
            }
        } catch  where error.code == .nonFiniteValue {
            throw ConcordError(.nonFiniteValue, "step \(step + 1): \(error.message)")
        }
        guard case .captioning = objective else { return (total, nil) }
        return (total, (contrastive, caption))
    }

    private var contrastiveLoss: any ContrastiveLoss {
        switch objective {
        case .contrastive(let loss): loss
        case .captioning(_, let loss): loss.contrastive
        }
    }

    private func compare(_ images: Tensor, _ pair: Pair) throws(ConcordError) -> Tensor {
        let loss = contrastiveLoss
        let widths = options.matryoshkaWidths
        guard !widths.isEmpty else { return try loss(images, pair.texts, labels: pair.labels, plan: plan.scores) }
        // The mean, so that values and learning rates are those of the plain loss.
        return try matryoshkaLoss(
            embeddings: [images, pair.texts], dimensions: widths, weights: widths.map { _ in 1 / Double(widths.count) }
        ) { cut throws(ConcordError) in
            try loss(cut[0], cut[1], labels: pair.labels, plan: plan.scores)
        }
    }

    /// Embeddings in a type with enough digits for losses.
    private func precise(_ embeddings: Tensor) -> Tensor {
        embeddings.dtype == .float64 ? embeddings : embeddings.to(.float32)
    }

    /// Whether a model that guesses has a loss of ln N.
    private var costsLnNToGuess: Bool {
        guard let loss = contrastiveLoss as? InfoNCE else { return false }
        return loss.hardness == 0 && !loss.isDecoupled
    }

    /// Embeddings of inputs on any device, as the plan says.
    private func embed(_ inputs: [Tensor], _ device: Device, _ tower: @escaping ([Tensor]) -> Tensor) -> Tensor {
        let usesBFloat16 = options.precision == .bfloat16
        return plan.embed(inputs, generators: [model.store.generator]) { inputs in
            // Within the part that is computed twice: only then are both times the same.
            autocast(.bfloat16, on: device.kind, enabled: usesBFloat16) { tower(inputs.map { $0.to(device) }) }
        }
    }

    private func embed(_ texts: Texts, _ device: Device) -> Tensor {
        switch texts {
        case .tokens(let ids, let lengths):
            embed([ids] + (lengths.map { [$0] } ?? []), device) { [model] in
                model.embedTexts($0[0], lengths: $0.count > 1 ? $0[1] : nil)
            }
        case .vectors(let vectors): vectors.to(device)
        }
    }

    /// Runs `body` with the weights that a model is saved with: the averages where there are any, adapters merged.
    package func withFinalWeights<Result>(_ body: () throws -> Result) rethrows -> Result {
        let store = model.store
        guard let averages else { return try store.withMergedAdapters(body) }
        return try averages.withAverages { try store.withMergedAdapters(body) }
    }
}
