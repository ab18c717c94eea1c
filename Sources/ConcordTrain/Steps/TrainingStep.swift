import ConcordCore
import ConcordData
import ConcordEvaluate
import ConcordLosses
import Foundation

/// The report of one training step.
///
/// Measurements of the embeddings are NaN at steps that do not take them.
public struct TrainingStep: Sendable {
    /// Steps done, this one included.
    public var step: Int
    public var epoch: Int
    public var loss: Double
    /// Of a CoCa: the two parts of the loss, without their weights.
    package var contrastiveLoss, captionLoss: Double?
    public var learningRate: Double
    /// The logit scale, `exp(logitScale)`: cosines are multiplied by it.
    public var logitScale: Double
    /// The logit bias, added to the scaled cosines; nil for a model without one.
    public var logitBias: Double?
    public var gradientNorm: Double
    /// Share of pairs whose own partner scores highest in the batch, over both directions.
    public var accuracy = Double.nan
    /// Mean cosine of the pairs, and of everything else in the batch.
    package var positiveCosine = Double.nan, negativeCosine = Double.nan
    /// The InfoNCE loss of guessing in a batch of this size.
    package var lnN = Double.nan
    /// See ``ConcordLosses/ContrastiveReport/alignment``.
    public var alignment = Double.nan
    /// See ``ConcordLosses/EmbeddingSpread/uniformity``.
    package var imageUniformity = Double.nan, textUniformity = Double.nan
    /// Warnings about the embeddings. New towers map all inputs near one point, so the first steps have some.
    package var warnings: [EmbeddingWarning] = []
    /// Images a second since the last report.
    package var samplesPerSecond = 0.0
    /// Share of the time since the last report that the trainer waited for data.
    package var dataWait = 0.0

    /// The values under the names that `metrics.jsonl` and TensorBoard show.
    public var values: [(name: String, value: Double)] {
        let scale = [("logit_scale", logitScale)] + (logitBias.map { [("logit_bias", $0)] } ?? [])
        let parts = [("contrastive_loss", contrastiveLoss), ("caption_loss", captionLoss)].compactMap { name, value in
            value.map { (name, $0) }
        }
        return [("epoch", Double(epoch)), ("loss", loss)] + parts + [("learning_rate", learningRate)] + scale + [
            ("accuracy", accuracy), ("positive_cosine", positiveCosine), ("negative_cosine", negativeCosine),
            ("ln_n", lnN), ("alignment", alignment), ("uniformity_image", imageUniformity),
            ("uniformity_text", textUniformity), ("gradient_norm", gradientNorm),
            ("samples_per_second", samplesPerSecond), ("data_wait", dataWait),
        ]
    }

    /// Takes the means over the reports of all slots of captions.
    mutating func fill(_ reports: [ContrastiveReport], guessingLoss: Double?) {
        func mean(_ value: (ContrastiveReport) -> Double) -> Double {
            reports.map(value).reduce(0, +) / Double(reports.count)
        }
        accuracy = mean(\.accuracy)
        positiveCosine = mean(\.positiveCosine)
        negativeCosine = mean(\.negativeCosine)
        lnN = mean(\.lnN)
        alignment = mean(\.alignment)
        imageUniformity = mean(\.first.uniformity)
        textUniformity = mean(\.second.uniformity)
        warnings = reports.flatMap { $0.warnings(loss: guessingLoss, firstName: "image", secondName: "caption") }
    }
}

/// Measures speed and waiting between reports of a training run.
final class TrainingClock {
    private let waited: () -> Double
    private let batchSize, firstStep: Int
    private let start = ContinuousClock.now
    private var last: (time: ContinuousClock.Instant, step: Int, waited: Double)

    init<Batch>(loader: PrefetchLoader<Batch>, batchSize: Int, from step: Int) {
        waited = { loader.waitSeconds }
        self.batchSize = batchSize
        firstStep = step
        last = (start, step, 0)
    }

    /// Adds speed and waiting since the last call.
    func fill(_ report: inout TrainingStep) {
        let now = ContinuousClock.now, seconds = max((now - last.time) / .seconds(1), 1e-9), waited = waited()
        report.samplesPerSecond = Double((report.step - last.step) * batchSize) / seconds
        report.dataWait = min(1, (waited - last.waited) / seconds)
        last = (now, report.step, waited)
    }

    /// The report as the progress bar shows it.
    func line(_ report: TrainingStep, total: Int) -> ProgressLine {
        ProgressLine(
            unit: "step", done: report.step, total: total, doneBefore: firstStep,
            elapsed: (ContinuousClock.now - start) / .seconds(1),
            details: [
                "loss \(NumberText.fixed(report.loss, decimals: 3))",
                "acc \(NumberText.fixed(100 * report.accuracy, decimals: 0)) %",
                "\(NumberText.fixed(report.samplesPerSecond, decimals: 0)) samples/s",
            ])
    }
}

/// Signs of a run that does not learn, told once each: not while the model is new, and not for a single batch.
struct LearningSigns {
    /// New towers put all inputs near one point and guess; later that is a collapse.
    private let beginning: Int
    private var counts: [EmbeddingWarning.Kind: Int] = [:]

    private static let fewestSteps = 50
    /// A warning that this many logged steps in a row have is no accident.
    private static let repetitions = 3

    init(_ plan: TrainingPlan) {
        beginning = max(plan.warmupSteps, plan.totalSteps / 10, Self.fewestSteps)
    }

    /// The warnings to print after a step.
    mutating func warnings(of report: TrainingStep) -> [String] {
        guard report.step > beginning else { return [] }
        var messages = [String]()
        for kind in EmbeddingWarning.Kind.allCases where counts[kind, default: 0] < Self.repetitions {
            let warning = report.warnings.first { $0.kind == kind }
            counts[kind] = warning == nil ? 0 : counts[kind, default: 0] + 1
            if let warning, counts[kind] == Self.repetitions { messages.append(warning.message) }
        }
        return messages
    }
}
