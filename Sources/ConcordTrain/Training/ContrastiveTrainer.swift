import ConcordCore
import ConcordLosses
import ConcordModels
import ConcordNN
import ConcordTensor
import Foundation

/// One optimization step of CLIP after another; what comes in and what goes out is the caller's business.
///
/// This is the whole of training: embed, compare, go back, update, clamp, average.
public final class ContrastiveTrainer {
    /// The captions of a step: one of every picture, then a second of every picture, …
    public enum Texts {
        /// Token ids `[slots · batch, tokens]`, and how many of each row are the caption's, int64 `[slots · batch]`;
        /// nil when all are.
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

    public let model: DualEncoder
    let optimizer: AdamW
    let averages: ExponentialMovingAverage?
    private let schedule: LearningRateSchedule
    private let precision: DType
    private let gradientClip: Double?
    private let seed: UInt64

    /// Prepares the optimizer for the parameters that are trainable now.
    ///
    /// - Parameter layerDecay: lower rates for the layers near the inputs; nil gives all the same.
    public init(
        model: DualEncoder, schedule: LearningRateSchedule, options: AdamW.Options, layerDecay: LayerDecay? = nil,
        precision: DType = .float32, gradientClip: Double? = nil, averageDecay: Double? = nil, seed: UInt64
    ) {
        self.model = model
        self.schedule = schedule
        self.precision = precision
        self.gradientClip = gradientClip
        self.seed = seed
        optimizer = AdamW(model.store.trainable, options: options) { layerDecay?($0) ?? 1 }
        averages = averageDecay.map { ExponentialMovingAverage(model.store.trainable, decay: $0) }
    }

    /// Takes one step.
    ///
    /// - Parameters:
    ///   - step: steps done before this one.
    ///   - pixels: normalised pictures `[batch, 3, size, size]`, float32.
    ///   - texts: the captions.
    /// - Returns: what happened, without the epoch and the speed, which the caller knows.
    /// - Throws: `.tensorOperation` when the loss is not a number; the weights are as they were before the step.
    public func step(_ step: Int, pixels: Tensor, texts: Texts) throws(ConcordError) -> TrainingStep {
        let device = model.logitScale.device
        let slots = texts.count / pixels.shape[0]
        model.store.isTraining = true
        // Seeded by the step, dropout draws the same masks in a resumed run.
        model.store.generator.seed(RandomSource.value(seed: seed, stream: UInt64(step)))

        let (images, captions) = autocast(.bfloat16, on: device.kind, enabled: precision == .bfloat16) {
            (model.embedImages(pixels.to(device)), embed(texts, device))
        }
        let texts = captions.chunked(slots, axis: 0)
        let objective = InfoNCE(logitScale: model.logitScale)
        var loss = Tensor(0)
        for texts in texts { loss = try loss + objective(images, texts) / Double(slots) }
        let lossValue = loss.item()
        guard lossValue.isFinite else {
            throw ConcordError(
                .tensorOperation,
                "the loss of step \(step + 1) is \(lossValue); train with a lower learning rate or a gradient clip, "
                    + "from the beginning or from an earlier checkpoint")
        }
        let logitScale = exp(model.logitScale.item())
        model.store.clearGradients()
        loss.backward()
        let gradientNorm = GradientClipping.clip(model.store.trainable, maximum: gradientClip)
        let learningRate = schedule(step)
        optimizer.step(learningRate: learningRate)
        if model.logitScale.requiresGradient { model.clampLogitScale() }
        averages?.update(step: step)

        let quality = texts.map { texts in
            withoutGradient {
                Self.quality(
                    images.to(.float32).matmul(texts.to(.float32).transposed(0, 1)) * logitScale, logitScale: logitScale
                )
            }
        }
        func mean(_ value: (Quality) -> Double) -> Double { quality.map(value).reduce(0, +) / Double(slots) }
        return TrainingStep(
            step: step + 1, epoch: 0, loss: lossValue, learningRate: learningRate, logitScale: logitScale,
            accuracy: mean(\.accuracy), positiveCosine: mean(\.positive), negativeCosine: mean(\.negative),
            gradientNorm: gradientNorm, samplesPerSecond: 0, dataWait: 0)
    }

    private func embed(_ texts: Texts, _ device: Device) -> Tensor {
        switch texts {
        case .tokens(let ids, let lengths): model.embedTexts(ids.to(device), lengths: lengths?.to(device))
        case .vectors(let vectors): vectors.to(device)
        }
    }

    /// Runs `body` with the weights that a model is saved with: the averages where there are any, adapters merged.
    public func withFinalWeights<Result>(_ body: () throws -> Result) rethrows -> Result {
        let store = model.store
        guard let averages else { return try store.withMergedAdapters(body) }
        return try averages.withAverages { try store.withMergedAdapters(body) }
    }

    private struct Quality {
        let accuracy, positive, negative: Double
    }

    /// Accuracy and cosines of a batch from its logits `[batch, batch]`.
    private static func quality(_ logits: Tensor, logitScale: Double) -> Quality {
        withoutGradient {
            let batch = logits.shape[0]
            let targets = Tensor.arange(0, Double(batch)).to(logits.device)
            let hits = [0, 1].map { logits.argmax(axis: $0).equal(to: targets).to(.float32).mean().item() }
            let own = logits.diagonal().sum().item(), all = logits.sum().item()
            return Quality(
                accuracy: (hits[0] + hits[1]) / 2, positive: own / Double(batch) / logitScale,
                negative: (all - own) / Double(batch * (batch - 1)) / logitScale)
        }
    }
}
