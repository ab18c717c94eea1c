import ConcordCore
import ConcordData
import ConcordEvaluate
import ConcordLosses
import Foundation

/// The report of one training step.
public struct TrainingStep: Sendable {
    /// Steps done, this one included.
    public var step: Int
    public var epoch = 0
    public var loss: Double
    /// The terms of the loss, without their weights.
    public var terms: [(name: String, value: Double)] = []
    public var learningRate: Double
    /// Values of the model before the step, such as `logit_scale`: cosines are multiplied by it.
    public var modelValues: [(name: String, value: Double)] = []
    /// NaN at a step that is skipped.
    public var gradientNorm = Double.nan
    /// Of float16: what the gradients of this step were multiplied by on their way back.
    public var lossScale: Double?
    /// Of float16: steps so far, this one included, that moved nothing because a gradient overflowed.
    public var skippedSteps = 0
    /// What the objectives measured; nothing at steps that do not measure.
    public var measurements: [(name: String, value: Double)] = []
    /// Warnings about the embeddings. New towers map all inputs near one point, so the first steps have some.
    package var warnings: [EmbeddingWarning] = []
    /// Images a second since the last report.
    package var samplesPerSecond = 0.0
    /// The bytes of gradients that this process sent to the others; 0 for a run on its own.
    public var bytesSent = 0
    /// Share of the time since the last report that the trainer waited for data.
    package var dataWait = 0.0

    init(step: Int, loss: Double, learningRate: Double) {
        self.step = step
        self.loss = loss
        self.learningRate = learningRate
    }

    /// All values under the names that `metrics.jsonl` and TensorBoard show.
    public var values: [(name: String, value: Double)] {
        var values: [(name: String, value: Double)] = [("epoch", Double(epoch)), ("loss", loss)]
        if terms.count > 1 { values += terms.map { (name: $0.name + "_loss", value: $0.value) } }
        values.append((name: "learning_rate", value: learningRate))
        values += modelValues
        values += measurements
        values.append((name: "gradient_norm", value: gradientNorm))
        if bytesSent > 0 { values.append((name: "bytes_sent", value: Double(bytesSent))) }
        if let lossScale {
            values.append((name: "loss_scale", value: lossScale))
            values.append((name: "skipped", value: Double(skippedSteps)))
        }
        values.append((name: "samples_per_second", value: samplesPerSecond))
        values.append((name: "data_wait", value: dataWait))
        return values
    }

    /// A value by its name, such as `accuracy`: the share of pairs whose partner scores highest in the batch, over both
    /// directions. Nil where the step has none.
    public subscript(name: String) -> Double? { values.first { $0.name == name }?.value }
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
        let skipped = report.skippedSteps > 0 ? ["\(report.skippedSteps) skipped"] : []
        return ProgressLine(
            unit: "step", done: report.step, total: total, doneBefore: firstStep,
            elapsed: (ContinuousClock.now - start) / .seconds(1),
            details: ["loss \(NumberText.fixed(report.loss, decimals: 3))"]
                + (report["accuracy"].map { ["acc \(NumberText.fixed(100 * $0, decimals: 0)) %"] } ?? [])
                + ["\(NumberText.fixed(report.samplesPerSecond, decimals: 0)) samples/s"] + skipped)
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
