// The whole of `concord train`, in the order in which it happens. Where to read on:
//
//   the recipe        Recipes/Recipe.swift, Recipe+Model.swift, Recipe+Loss.swift, Recipe+Train.swift
//   the data          Data/TrainingData.swift, TrainingSplit.swift, TrainingPlan.swift
//   the model         Model/TrainedModel.swift, PretrainedSource.swift, FineTuning.swift
//   a step            Steps/Trainer.swift, ForwardPass.swift, TrainingStep.swift
//   the loss          Recipes/Recipe+Loss.swift, Steps/ContrastiveObjective.swift, then ConcordLosses
//   the run's files   Files/RunFolder.swift, TrainingCheckpoint.swift, MetricsLog.swift
//   the report        Reports/TrainingReport.swift

import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordEvaluate
import ConcordModels
import ConcordNN
import ConcordTensor
import Foundation

/// A training run, from the recipe to the report.
public final class TrainingRun {
    public enum Outcome: Sendable, Hashable {
        case finished
        /// A signal stopped the run; a checkpoint of that step is saved.
        case interrupted(step: Int)
    }

    let recipe: Recipe
    let folder: RunFolder
    private let resumes: Bool
    private let epochsMore: Int?
    private let stopsOnSignals: Bool
    let device: Device
    let bar: ProgressBar
    /// The processes that take the run's steps together.
    let members: TrainingGroup

    /// Checks the output folder; nothing is written yet.
    ///
    /// - Parameters:
    ///   - resumes: whether to continue from the newest checkpoint in the folder.
    ///   - epochsMore: epochs to train beyond those that the run was planned for; only with `resumes`.
    ///   - stopsOnSignals: whether Ctrl-C, SIGTERM and SIGHUP stop the run with a checkpoint, from its first step on;
    ///     otherwise they do what the program has them do.
    ///   - group: processes that share the run out, each with a `TrainingRun` of its own; nil for one. Rank 0 writes and
    ///     prints.
    /// - Throws: `.invalidConfiguration` when the folder holds a run that is not to be resumed, `.unavailable` for a
    ///   device that is not there, or that several processes cannot use.
    public init(
        recipe: Recipe, folder: RunFolder, resumes: Bool = false, epochsMore: Int? = nil, stopsOnSignals: Bool = false,
        group: ProcessGroup? = nil, bar: ProgressBar = ProgressBar()
    ) throws {
        self.recipe = recipe
        self.folder = folder
        self.resumes = resumes
        self.epochsMore = epochsMore
        self.stopsOnSignals = stopsOnSignals
        members = TrainingGroup(group: group.flatMap { $0.worldSize > 1 ? $0 : nil })
        self.bar = members.isWriter ? bar : .silent
        device = try Device(recipe.train.device).checked()
        if let group, group.worldSize > 1, device.kind != .cpu {
            throw ConcordError(
                .unavailable,
                "train.device is \(recipe.train.device), and several processes train on processors only: they meet over "
                    + "Gloo, since this libtorch comes without NCCL; start one process, or set train.device to cpu")
        }
        let isUsed = Files.exists(folder.checkpoints) || folder.isFinished
        if isUsed && !resumes {
            throw ConcordError(
                .invalidConfiguration,
                "\(folder.path) already holds a run; continue it with --resume, train a finished one for longer with "
                    + "--epochs-more, or choose another --output")
        }
    }

    /// Trains to the end, or until a signal.
    ///
    /// - Throws: a `ConcordError` that says what to do; checkpoints saved before it stay.
    public func train() throws -> Outcome {
        if stopsOnSignals { InterruptSignal.outliveReaders() }
        let data = try readData()
        try members.check(recipe, data)
        let lock = members.isWriter ? try RunLock(folder) : nil
        defer { withExtendedLifetime(lock) {} }
        let setup = try setUp(data)
        try members.check(setup)
        let firstStep = try resume(setup)
        var skipped = data.split.dataset.skipped
        // Also when the run stops early, for whatever reason, what was skipped is on disk.
        defer { if members.isWriter { try? SkippedRow.write(skipped + setup.collator.skipped, to: folder.skipped) } }
        if members.isWriter {
            try Files.replace(folder.recipe, with: recipe.text)
            try folder.write(heldOut: data.split.heldOut)
        }

        let step = try takeSteps(setup, from: firstStep)
        skipped += try members.skippedElsewhere(setup.collator.skipped)
        guard step == data.plan.totalSteps else { return .interrupted(step: step) }
        do {
            try setup.trainer.withFinalWeights {
                try save(setup)
                try evaluate(setup)
            }
        } catch  where error is InterruptSignal.Interruption || isLeft(error) {
            bar.finish()
            bar.print("all \(step) steps are done and the model is saved; --resume evaluates it and writes the report")
            return .interrupted(step: step)
        }
        return .finished
    }

    /// Whether another process has stopped at the same signal as this one, a moment earlier.
    private func isLeft(_ error: any Error) -> Bool {
        InterruptSignal.hasArrived && (error as? ConcordError)?.code == .processGroup
    }

    // MARK: Set-up

    /// Reads the captions and plans the run; refuses what cannot be trained on. Nothing is written.
    func readData() throws -> TrainingData {
        TorchRuntime.threadCount =
            recipe.train.threads > 0
            ? recipe.train.threads : members.group?.place.coreCount ?? ProcessInfo.processInfo.activeProcessorCount
        return try .read(recipe, in: folder, resumes: resumes, epochsMore: epochsMore, bar: bar)
    }

    /// Restores the state of the checkpoint.
    ///
    /// - Returns: the steps done before; nil when the run starts anew.
    private func resume(_ setup: Setup) throws -> Int? {
        guard resumes else { return nil }
        guard let checkpoint = setup.data.checkpoint else {
            bar.print("\(folder.path) has no checkpoint yet; training starts from the beginning")
            return nil
        }
        try checkpoint.restore(setup.trainer)
        bar.print("resuming after step \(checkpoint.step)")
        if let earlier = setup.data.earlierPlan, earlier.epochs < setup.data.plan.epochs {
            bar.print(setup.data.plan.extensionNote(after: checkpoint.step, of: earlier, recipe.train))
        }
        return checkpoint.step
    }

    // MARK: The steps

    /// Takes the steps that are left, until a signal to one of the processes.
    ///
    /// - Returns: the steps done, of which a checkpoint is saved.
    private func takeSteps(_ setup: Setup, from resumedStep: Int?) throws -> Int {
        let plan = setup.data.plan
        let totalSteps = plan.totalSteps
        var done = resumedStep ?? 0
        let frozenTexts = embedFrozenTexts(setup)
        let log = members.isWriter ? try TrainingLog(folder, resumedStep: resumedStep) : nil
        var checkpoints = CheckpointSchedule(recipe.train, plan, from: done)
        func save(_ step: Int) throws {
            guard step > checkpoints.lastStep else { return }
            try TrainingCheckpoint.save(
                step: step, trainer: setup.trainer, recipe: recipe, data: setup.data, in: folder,
                isWriter: members.isWriter)
            checkpoints.saved(step)
        }
        if stopsOnSignals { InterruptSignal.listen() }

        let loader = setup.collator.loader(
            sampler: setup.data.sampler(seed: recipe.seed, group: members.group), batches: done..<totalSteps,
            threads: recipe.data.workers)
        let clock = TrainingClock(loader: loader, batchSize: plan.batchSize, from: done)
        var signs = LearningSigns(plan)
        while done < totalSteps {
            let next = Result { try loader.next(unless: { InterruptSignal.hasArrived }) }
            guard try goesOn(next, otherwise: { try save(done) }), let samples = try next.get() else { break }
            let isLogged = done + 1 == totalSteps || (done + 1) % recipe.train.logEvery == 0
            var report = try setup.trainer.step(
                done, setup.batch(samples, frozenTexts, epoch: done / plan.batchesPerEpoch), measures: isLogged)
            done += 1
            report.epoch = (done - 1) / plan.batchesPerEpoch
            // What was learned is written before anything is shown: the terminal may be gone.
            if isLogged {
                clock.fill(&report)
                try log?.append(report)
            }
            if try done == totalSteps || members.asRankZero(checkpoints.isDue(done)) { try save(done) }
            if isLogged {
                bar.update(clock.line(report, total: totalSteps))
                for warning in signs.warnings(of: report) { bar.print("step \(done): \(warning)") }
            }
        }
        if done < totalSteps { try save(done) }
        bar.finish()
        loader.stop()
        if done == totalSteps, !setup.collator.skipped.isEmpty {
            bar.print("\(setup.collator.skipped.count) images could not be decoded; see \(folder.skipped)")
        }
        return done
    }

    /// Whether all processes have their part of the next batch.
    ///
    /// - Parameter save: saves the model, which is as good as it was before an image could not be read.
    /// - Returns: false when one of them was told to stop, or there is no next batch.
    /// - Throws: the error of the part that could not be read, on all processes.
    private func goesOn(
        _ next: Result<SampleBatch?, any Error>, otherwise save: () throws -> Void
    ) throws -> Bool {
        let own: TrainingGroup.Course =
            switch next {
            case .success(let samples): samples == nil || InterruptSignal.hasArrived ? .stop : .step
            case .failure: .fail
            }
        switch try members.agreed(own) {
        case .step: return true
        case .stop: return false
        case .fail:
            try? save()
            _ = try next.get()
            try members.waitForFailure()
            return false
        }
    }

    // MARK: The end

    /// Saves the model; the folder is a model folder from then on.
    private func save(_ setup: Setup) throws {
        guard members.isWriter else { return }
        try setup.embeddingModel.save(
            to: folder.path,
            training: ModelManifest.Training(
                recipe: recipe.text, dataset: recipe.data.folder, steps: setup.data.plan.totalSteps,
                tool: "concord \(ConcordVersion.current)", date: Date.now.formatted(.iso8601.year().month().day()),
                baseModel: setup.data.source.name))
        try InterruptSignal.check()
    }

    /// Measures retrieval and writes `report.html`.
    ///
    /// All processes embed their part of the images; rank 0 does the rest.
    private func evaluate(_ setup: Setup) throws {
        guard !setup.data.split.dataset.imagePaths.isEmpty else {
            bar.print(
                "the data have no images, so there is no report; `concord evaluate --modalities text,audio` measures the "
                    + "model")
            return
        }
        let gallery = try ImageGallery(
            model: setup.embeddingModel, dataset: setup.data.split.dataset,
            maximumSkippedFraction: recipe.data.maximumSkippedFraction, group: members.group,
            progress: ProgressDisplay(label: "embedding", bar: bar))
        guard members.isWriter else { return }
        let warnings = try TrainingReport(
            recipe: recipe, folder: folder, model: setup.embeddingModel, gallery: gallery, split: setup.data.split,
            plan: setup.data.plan, survey: setup.survey, progress: ProgressDisplay(label: "captioning", bar: bar)
        ).write()
        for warning in warnings { bar.print("warning: \(warning)") }
    }
}
