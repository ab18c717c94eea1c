import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordEvaluate
import ConcordModels
import ConcordNN
import ConcordTensor
import Foundation

/// The expected cost of a run, and the chance level to compare its result with.
package struct TrainingForecast: Sendable {
    package let plan: TrainingPlan
    package let survey: DataSurvey
    /// Images that are held out, and all that are searched at the end.
    package let heldOut, gallery: Int
    /// Numbers that the model has, and those of them that train.
    package let parameters, trainable: Int
    /// Edge of the square that the model sees, pixels.
    package let imageSize: Int
    /// On this machine: seconds of a step, and of the whole run with its report.
    package let secondsPerStep, seconds: Double
    /// The most memory that the process will have, about; nil where the system does not say what it has.
    package let peakBytes: Int?
    /// The notes that the run would print before its first step.
    package let notes: [String]

    /// The chance level of recall@1, 0…1.
    package var chance: Double { 1 / Double(max(1, gallery)) }
}

extension TrainingRun {
    /// Takes a few steps of the run on as many images as a few seconds allow, and writes nothing.
    ///
    /// - Parameter patience: a step on more images is only tried when it will take less.
    /// - Throws: what the run would throw before its first step, or in it.
    package static func forecast(_ recipe: Recipe, patience: Duration = .seconds(5)) throws -> TrainingForecast {
        final class Notes { var lines = [String]() }
        let notes = Notes()
        let bar = ProgressBar(isInteractive: false, usesColor: false, width: { 80 }) { text in
            notes.lines += text.split(separator: "\n").map(String.init)
        }
        // A folder that is not there: nothing is read from it, and nothing written.
        let folder = RunFolder(NSTemporaryDirectory() + "concord-forecast-\(UUID().uuidString)")
        let run = try TrainingRun(recipe: recipe, folder: folder, bar: bar)
        let setup = try run.setUp(run.readData(), isRehearsal: true)
        let plan = setup.data.plan, batchSize = plan.batchSize
        var rows = min(4, batchSize), earlier: (rows: Int, peak: Int)?, peak = 0
        /// The least time of a step on `rows` images.
        func measure(_ times: Int) throws -> Double {
            var least = Double.infinity
            for _ in 0..<times {
                let samples = try setup.collator.batch(epoch: 0, indices: Array(0..<rows))
                let start = ContinuousClock.now
                // Step 0 again and again: nothing of this is kept.
                _ = try setup.trainer.step(0, setup.batch(samples, nil, epoch: 0), measures: recipe.train.logEvery == 1)
                least = min(least, (ContinuousClock.now - start) / .seconds(1))
            }
            peak = Self.peakMemory
            return least
        }
        _ = try measure(1)
        var seconds = try measure(1)
        while rows < batchSize, 2 * seconds < patience / .seconds(1) {
            earlier = (rows, peak)
            rows = min(batchSize, 2 * rows)
            seconds = try measure(1)
        }
        if 2 * seconds < patience / .seconds(1) { seconds = try measure(2) }
        let perImage = seconds / Double(rows), images = setup.data.split.dataset.items.count
        let growth = earlier.map { max(0, peak - $0.peak) / max(1, rows - $0.rows) } ?? 0
        let imageSize = setup.model.visionConfiguration.imageSize
        // Batches that wait for their turn, and decoded images.
        let input = 4 * batchSize * 12 * imageSize * imageSize
        let decoded = setup.survey.usualEdge.map { $0 * $0 * 4 * plan.images } ?? 0
        let parameters = setup.model.store.parameters
        return TrainingForecast(
            plan: plan, survey: setup.survey, heldOut: setup.data.split.heldOut.count, gallery: images,
            parameters: parameters.reduce(0) { $0 + $1.tensor.scalarCount },
            trainable: setup.model.store.trainable.reduce(0) { $0 + $1.tensor.scalarCount },
            imageSize: imageSize, secondsPerStep: perImage * Double(batchSize),
            // Embedding takes the forward pass alone, a third of a step.
            seconds: perImage * (Double(plan.totalSteps * batchSize) + Double(images) / 3),
            peakBytes: peak == 0
                ? nil : peak + growth * (batchSize - rows) + input + min(decoded, recipe.data.cacheMegabytes << 20),
            notes: notes.lines)
    }

    /// The most memory that this process has had; 0 where the system does not say.
    private static var peakMemory: Int {
        let line = Files.systemText("/proc/self/status").split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return line?.split(separator: " ").compactMap { Int($0) }.first.map { $0 * 1024 } ?? 0
    }
}
