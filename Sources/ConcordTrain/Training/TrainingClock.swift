import ConcordCore
import ConcordData
import ConcordEvaluate
import Foundation

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

    /// What the progress bar shows of a report.
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
