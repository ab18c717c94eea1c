import ConcordCore
import ConcordLosses
import ConcordModels
import ConcordNN
import ConcordTensor
import Foundation

/// Runs training steps of any model towards any objectives. Loading batches and reporting results are up to the caller.
///
/// ``step(_:_:measures:)`` is the whole of a step, in the order in which it happens. The trainer knows no modality: what
/// the model reads of a batch, and what the objectives read of the model, is theirs.
public final class Trainer {
    /// The settings of a trainer.
    public struct Options {
        public var schedule: LearningRateSchedule
        public var optimizer: AdamW.Options
        /// The execution plan of a batch through encoders and losses; no plan changes what is learned.
        public var plan: ExecutionPlan
        /// A factor on the learning rate of each parameter, as ``LayerDecay`` gives it.
        public var learningRateScale: (Parameter) -> Double
        /// The type of the matrix products.
        public var precision: Precision
        /// The largest norm of the gradient; nil is no limit.
        public var gradientClip: Double?
        /// The decay of the moving average of the weights; nil keeps none.
        public var averageDecay: Double?
        /// The seed of dropout.
        public var seed: UInt64
        /// The processes that share each batch; nil for one.
        public var group: ProcessGroup?
        /// How gradients are sent between processes.
        public var gradientCompression = GradientReducer.Compression.none
        /// Whether the processes share out the optimizer's moments: each keeps its part of them (ZeRO stage 1). The
        /// weights have the same bits.
        public var shardsOptimizer = false

        public init(
            schedule: LearningRateSchedule, optimizer: AdamW.Options = .init(), plan: ExecutionPlan = .dense,
            learningRateScale: @escaping (Parameter) -> Double = { _ in 1 }, precision: Precision = .float32,
            gradientClip: Double? = nil, averageDecay: Double? = nil, seed: UInt64, group: ProcessGroup? = nil
        ) {
            self.schedule = schedule
            self.optimizer = optimizer
            self.plan = plan
            self.learningRateScale = learningRateScale
            self.precision = precision
            self.gradientClip = gradientClip
            self.averageDecay = averageDecay
            self.seed = seed
            self.group = group
        }
    }

    public let model: any TrainableModel
    private let objectives: [any TrainingObjective]
    private let options: Options
    private let plan: ExecutionPlan
    /// The outputs of the model that the objectives read.
    private let outputs: Set<ModelOutput>
    let optimizer: AdamW
    let averages: ExponentialMovingAverage?
    /// The loss scale; nil unless the precision is float16.
    package let scaler: GradientScaler?
    /// Steps that moved nothing, because a gradient overflowed. The schedule does not count them.
    var skippedSteps = 0
    /// Made at the first step.
    private var reducer: GradientReducer?

    /// Prepares the optimizer for the parameters that are trainable now.
    public init(model: any TrainableModel, objectives: [any TrainingObjective], options: Options) {
        self.model = model
        self.objectives = objectives
        self.options = options
        plan = options.group.map { options.plan.gathered(over: $0) } ?? options.plan
        outputs = objectives.reduce(into: []) { $0.formUnion($1.outputs) }
        optimizer = AdamW(
            model.store.trainable, options: options.optimizer,
            sharedBy: options.shardsOptimizer ? options.group : nil, learningRateScale: options.learningRateScale)
        averages = options.averageDecay.map { ExponentialMovingAverage(model.store.trainable, decay: $0) }
        scaler = options.precision.dtype(on: model.store.device) == .float16 ? GradientScaler() : nil
    }

    /// A trainer that compares images with texts.
    ///
    /// - Parameter loss: nil takes CLIP's InfoNCE with the model's logit scale.
    public convenience init(model: any ImageTextEncoder, loss: (any ContrastiveLoss)? = nil, options: Options) {
        let objective = ContrastiveObjective(loss ?? InfoNCE(logitScale: model.logitScale))
        self.init(model: model, objectives: [objective], options: options)
    }

    /// Takes one step.
    ///
    /// - Parameters:
    ///   - step: steps done before this one.
    ///   - batch: the rows of this process, on any device; a cached plan moves them to the model's device a chunk at a
    ///     time.
    ///   - measures: whether the objectives measure, which may cost as much as their losses.
    /// - Returns: what happened, without the epoch and the speed, which the caller knows.
    /// - Throws: `.tensorOperation` when the loss is not a number, `.nonFiniteValue` when an embedding is not, or no loss
    ///   scale makes the gradients of float16 finite, `.emptyBatch` when no objective finds a row for it, or what the
    ///   losses throw; the weights are as they were before the step.
    public func step(_ step: Int, _ batch: Batch, measures: Bool = true) throws(ConcordError) -> TrainingStep {
        let pass = try forward(batch, step)
        let terms = try terms(of: pass, step)
        let (loss, value) = try total(terms.flatMap(\.self), step)
        let updates = max(0, step - skippedSteps)
        var report = TrainingStep(step: step + 1, loss: value, learningRate: options.schedule(updates))
        report.modelValues = model.loggedValues
        report.lossScale = scaler?.scale

        model.store.clearGradients()
        try backward(loss)
        report.bytesSent = reducer?.bytesSent ?? 0
        if try scaler?.unscale(model.store.trainable, group: options.group) ?? true {
            report.gradientNorm = GradientClipping.clip(model.store.trainable, maximum: options.gradientClip)
            optimizer.step(learningRate: report.learningRate)
            try optimizer.shareUpdates()
            model.didUpdate()
            averages?.update(step: updates)
        } else {
            skippedSteps += 1
        }
        report.skippedSteps = skippedSteps

        report.terms = terms.flatMap { $0.map { ($0.name, $0.value.item()) } }
        guard measures else { return report }
        for (objective, terms) in zip(objectives, terms) {
            let measured = try objective.measurements(pass, terms: terms)
            report.measurements += measured.values
            report.warnings += measured.warnings
        }
        return report
    }

    private func forward(_ batch: Batch, _ step: Int) throws(ConcordError) -> ForwardPass {
        model.store.isTraining = true
        // Seeded by the step, dropout draws the same masks in a resumed run.
        let seed = RandomSource.value(seed: options.seed, stream: UInt64(step))
        return try ForwardPass.run(
            model, batch, outputs: outputs, plan: plan, precision: options.precision,
            seeds: (run: options.seed, step: seed))
    }

    /// The terms of each objective.
    private func terms(of pass: ForwardPass, _ step: Int) throws(ConcordError) -> [[LossTerm]] {
        do {
            return try objectives.map { objective throws(ConcordError) in try objective.terms(pass) }
        } catch  where error.code == .nonFiniteValue {
            throw ConcordError(.nonFiniteValue, "step \(step + 1): \(error.message)")
        }
    }

    /// The weighted sum of the terms, to be differentiated, and its value.
    private func total(_ terms: [LossTerm], _ step: Int) throws(ConcordError) -> (loss: Tensor, value: Double) {
        guard let first = terms.first else {
            throw ConcordError(
                .emptyBatch,
                "no objective has a term for the batch of step \(step + 1): none of its rows has what they read; leave "
                    + "such batches out")
        }
        let loss = terms.dropFirst().reduce(first.value * first.weight) { $0 + $1.value * $1.weight }
        let value = loss.item()
        guard value.isFinite else {
            throw ConcordError(
                .tensorOperation,
                "the loss of step \(step + 1) is \(value); train with a lower learning rate or a gradient clip, "
                    + "from the beginning or from an earlier checkpoint")
        }
        return (loss, value)
    }

    /// Gives every parameter the gradient of the batch of all processes. A parameter that no sample reaches, of a tower
    /// whose modality the batch lacks, has a gradient of zero, on one process as on several.
    private func backward(_ loss: Tensor) throws(ConcordError) {
        let reducer: GradientReducer
        if let made = self.reducer {
            reducer = made
        } else {
            reducer = try GradientReducer(
                model.store.trainable.map(\.tensor), group: options.group, compression: options.gradientCompression)
            self.reducer = reducer
        }
        // The reducer sums over processes, so the scale is the same for any number of them.
        try reducer.backward(
            loss, gradient: scaler.map { Tensor($0.scale, dtype: loss.dtype, device: loss.device) })
    }

    /// Runs `body` with the weights that a model is saved with: the averages where there are any, adapters merged.
    package func withFinalWeights<Result>(_ body: () throws -> Result) rethrows -> Result {
        let store = model.store
        guard let averages else { return try store.withMergedAdapters(body) }
        return try averages.withAverages { try store.withMergedAdapters(body) }
    }
}
