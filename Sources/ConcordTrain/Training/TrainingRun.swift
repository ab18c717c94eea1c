import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordEvaluate
import ConcordLosses
import ConcordModels
import ConcordNN
import ConcordTensor
import Foundation

/// A training run from recipe to report: reads the data, takes the steps, saves, evaluates.
public final class TrainingRun {
    public enum Outcome: Sendable, Hashable {
        case finished
        /// A signal came; a checkpoint of that many steps is saved.
        case interrupted(step: Int)
    }

    let recipe: Recipe
    let folder: RunFolder
    let resumes: Bool
    let epochsMore: Int?
    let stopsOnSignals: Bool
    let device: Device
    let bar: ProgressBar

    /// Checks the output folder; nothing is written yet.
    ///
    /// - Parameters:
    ///   - resumes: whether to go on from the newest checkpoint in the folder.
    ///   - epochsMore: how many epochs to go on for beyond those that the run was planned for; only when it resumes.
    ///   - stopsOnSignals: whether Ctrl-C, SIGTERM and SIGHUP stop the run with a checkpoint, from its first step on;
    ///     otherwise they do what the program has them do.
    /// - Throws: `.invalidConfiguration` when the folder holds a run that is not to go on, `.unavailable` for a device
    ///   that is not there.
    public init(
        recipe: Recipe, folder: RunFolder, resumes: Bool = false, epochsMore: Int? = nil, stopsOnSignals: Bool = false,
        bar: ProgressBar = ProgressBar()
    ) throws {
        self.recipe = recipe
        self.folder = folder
        self.resumes = resumes
        self.epochsMore = epochsMore
        self.stopsOnSignals = stopsOnSignals
        self.bar = bar
        device = try Device(recipe.train.device).checked()
        let isUsed = Files.exists(folder.checkpoints) || folder.isFinished
        if isUsed && !resumes {
            throw ConcordError(
                .invalidConfiguration,
                "\(folder.path) holds a run already; go on with it by --resume, train a finished one for longer by "
                    + "--epochs-more, or choose another --output")
        }
    }

    /// Trains to the end, or until a signal.
    ///
    /// - Throws: a `ConcordError` that says what to do; checkpoints saved before it stay.
    public func callAsFunction() throws -> Outcome {
        if stopsOnSignals { InterruptSignal.outliveReaders() }
        useThreads()
        let data = try readData()
        let lock = try RunLock(folder)
        defer { withExtendedLifetime(lock) {} }
        let parts = try makeParts(data), resumedStep = try restore(parts)
        let lockedCaptions = makeLockedCaptions(parts)
        // Also when the run stops early, for whatever reason, what was skipped is on disk.
        defer { try? SkippedRow.write(data.split.dataset.skipped + parts.builder.skipped, to: folder.skipped) }
        try Files.replace(folder.recipe, with: recipe.text)
        try folder.write(heldOut: data.split.heldOut)
        let log = try TrainingLog(folder, resumedStep: resumedStep)
        var checkpoints = CheckpointPace(recipe.train, data.plan, from: resumedStep ?? 0)
        func save(_ step: Int) throws {
            guard step > checkpoints.lastStep else { return }
            try TrainingCheckpoint.save(
                step: step, store: parts.model.store, optimizer: parts.trainer.optimizer,
                averages: parts.trainer.averages, recipe: recipe, plan: data.plan, fingerprint: data.fingerprint,
                in: folder, keeping: recipe.train.checkpointsKept)
            checkpoints.saved(step)
        }
        if stopsOnSignals { InterruptSignal.listen() }

        var done = resumedStep ?? 0
        let totalSteps = data.plan.totalSteps
        let loader = parts.builder.loader(
            sampler: parts.sampler, batches: done..<totalSteps, threads: recipe.data.workers)
        let clock = TrainingClock(loader: loader, batchSize: data.plan.batchSize, from: done)
        var signs = LearningSigns(data.plan)
        while !InterruptSignal.hasArrived {
            let batch: ContrastiveBatch<[[Int32]]>?
            do { batch = try loader.next(unless: { InterruptSignal.hasArrived }) } catch {
                // The model is as good as it was before a picture could not be read.
                try? save(done)
                throw error
            }
            guard let batch else { break }
            let isLogged = done + 1 == totalSteps || (done + 1) % recipe.train.logEvery == 0
            var report = try step(done, batch, parts, lockedCaptions, measures: isLogged)
            done += 1
            report.epoch = (done - 1) / data.plan.batchesPerEpoch
            // What was learnt is written before anything is shown: the terminal may be gone.
            if isLogged {
                clock.fill(&report)
                try log.append(report)
            }
            if done == totalSteps || checkpoints.isDue(done) { try save(done) }
            if isLogged {
                bar.update(clock.line(report, total: totalSteps))
                for warning in signs.warnings(of: report) { bar.print("step \(done): \(warning)") }
            }
        }
        if done < totalSteps {
            try save(done)
            bar.finish()
            loader.stop()
            return .interrupted(step: done)
        }
        loader.stop()
        bar.finish()
        if !parts.builder.skipped.isEmpty {
            bar.print("\(parts.builder.skipped.count) pictures could not be decoded; see \(folder.skipped)")
        }
        do {
            try parts.trainer.withFinalWeights { try finish(parts) }
        } catch is InterruptSignal.Interruption {
            bar.finish()
            bar.print(
                "all \(totalSteps) steps are done and the model is saved; going on measures it and writes the report")
            return .interrupted(step: totalSteps)
        }
        return .finished
    }

    /// One step of the trainer on what the loader has brought.
    func step(
        _ done: Int, _ batch: ContrastiveBatch<[[Int32]]>, _ parts: Parts, _ lockedCaptions: LockedCaptions?,
        measures: Bool
    ) throws -> TrainingStep {
        let rows = batch.tokens.flatMap(\.self), texts: ContrastiveTrainer.Texts
        if let lockedCaptions {
            texts = .vectors(lockedCaptions(rows))
        } else {
            let tokens = TokenRows(rows, tokenizer: parts.tokenizer, tower: parts.model.textConfiguration)
            texts = .tokens(ids: tokens.ids, lengths: tokens.lengths)
        }
        return try parts.trainer.step(
            done, pixels: Tensor(batch.pixels, shape: [batch.count, 3, batch.size, batch.size]), texts: texts,
            labels: parts.loss.needsLabels ? TrainingLoss.labels(batch.tokens) : nil, measures: measures)
    }

    // MARK: The end

    private func finish(_ parts: Parts) throws {
        let data = parts.data
        try parts.whole.save(
            to: folder.path,
            training: ModelManifest.Training(
                recipe: recipe.text, dataset: recipe.data.folder, steps: data.plan.totalSteps,
                tool: "concord \(ConcordVersion.current)", date: Date.now.formatted(.iso8601.year().month().day()),
                baseModel: data.start.name))
        try InterruptSignal.check()
        let gallery = try PictureGallery(
            model: parts.whole, dataset: data.split.dataset,
            maximumSkippedFraction: recipe.data.maximumSkippedFraction,
            progress: ProgressDisplay(label: "embedding", bar: bar))
        let warnings = try TrainingReport(
            recipe: recipe, folder: folder, model: parts.whole, gallery: gallery, split: data.split, plan: data.plan,
            survey: parts.survey, progress: ProgressDisplay(label: "captioning", bar: bar)
        ).write()
        for warning in warnings { bar.print("warning: \(warning)") }
    }
}

/// When a run writes its checkpoints: every so many steps, and after so many minutes in any case.
private struct CheckpointPace {
    private let steps: Int
    private let time: Duration?
    private(set) var lastStep: Int
    private var lastTime = ContinuousClock.now

    init(_ train: Recipe.TrainSection, _ plan: TrainingPlan, from step: Int) {
        steps = plan.checkpointEvery
        time = train.checkpointMinutes > 0 ? .seconds(60 * train.checkpointMinutes) : nil
        lastStep = step
    }

    func isDue(_ step: Int) -> Bool {
        step % steps == 0 || time.map { ContinuousClock.now - lastTime >= $0 } ?? false
    }

    mutating func saved(_ step: Int) {
        lastStep = step
        lastTime = .now
    }
}

/// The values of the logged steps, as JSON lines and for TensorBoard.
private struct TrainingLog {
    private let metrics: MetricsLog
    private let events: EventFileWriter

    init(_ folder: RunFolder, resumedStep: Int?) throws {
        metrics = try MetricsLog(path: folder.metrics, resumedStep: resumedStep)
        // A run that was killed before its first checkpoint has left events that belong to nothing.
        if resumedStep == nil { try? FileManager.default.removeItem(atPath: folder.events) }
        events = try EventFileWriter(
            folder: folder.events, time: Date().timeIntervalSince1970, host: ProcessInfo.processInfo.hostName,
            resumedStep: resumedStep.map { $0 + 1 })
    }

    func append(_ report: TrainingStep) throws {
        try metrics.append(step: report.step, report.values)
        try events.append(
            step: report.step, time: Date().timeIntervalSince1970,
            report.values.map { (tag: "train/" + $0.name, value: $0.value) })
    }
}
