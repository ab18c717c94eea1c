import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordLosses
import ConcordMedia
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordText
import Foundation

/// A training run from recipe to report: reads the data, takes the steps, saves, evaluates.
public final class TrainingRun {
    public enum Outcome: Sendable, Hashable {
        case finished
        /// Ctrl-C came; a checkpoint of that many steps is saved.
        case interrupted(step: Int)
    }

    let recipe: Recipe
    let folder: RunFolder
    let resumes: Bool
    let device: Device
    let bar = ProgressBar()

    /// Checks the output folder; nothing is written yet.
    ///
    /// - Parameter resumes: whether to go on from the newest checkpoint in the folder.
    /// - Throws: `.invalidConfiguration` when the folder holds a run that is not to go on, `.unavailable` for a device
    ///   that is not there.
    public init(recipe: Recipe, folder: RunFolder, resumes: Bool = false) throws {
        self.recipe = recipe
        self.folder = folder
        self.resumes = resumes
        device = try Device(recipe.train.device).checked()
        let isUsed = Files.exists(folder.checkpoints) || folder.isFinished
        if isUsed && !resumes {
            throw ConcordError(
                .invalidConfiguration,
                "\(folder.path) holds a run already; go on with it by --resume, or choose another --output")
        }
    }

    /// Trains to the end, or until Ctrl-C.
    ///
    /// - Throws: a `ConcordError` that says what to do; checkpoints saved before it stay.
    public func callAsFunction() throws -> Outcome {
        TorchRuntime.threadCount =
            recipe.train.threads > 0 ? recipe.train.threads : ProcessInfo.processInfo.activeProcessorCount
        let lock = try RunLock(folder)
        defer { withExtendedLifetime(lock) {} }
        let dataset = try readDataset()
        let examples = try dataset.pictures(ofSplit: recipe.data.split.isEmpty ? nil : recipe.data.split)
        guard examples.items.count >= recipe.train.batchSize else {
            throw ConcordError(
                .invalidDataset,
                "\(recipe.data.folder) has \(examples.items.count) usable pictures in the split "
                    + "\"\(recipe.data.split)\", fewer than train.batch_size \(recipe.train.batchSize); lower it")
        }
        for split in recipe.evaluate.splits {
            for language in evaluatedLanguages {
                try RetrievalEvaluation.check(dataset, split: split, language: language, kind: recipe.evaluate.kind)
            }
        }
        let checkpoint = resumes ? try TrainingCheckpoint.latest(in: folder) : nil
        let start = try StartingModel(recipe.model)
        let fingerprint = try RunFingerprint(dataset, start)
        let tokenizer: any Tokenizer, loss = TrainingLoss(recipe.loss)
        var towers: DualEncoderConfiguration
        if let loaded = try start.tokenizer() {
            tokenizer = loaded
            towers = try start.configuration(newTextTower: nil)
        } else {
            let made = try makeTokenizer(examples, isThere: checkpoint != nil)
            tokenizer = made
            towers = try start.configuration(newTextTower: recipe.model.newTextTower(made))
        }
        try loss.configure(&towers, start: recipe.model.start)
        let architecture = try start.architecture(towers)
        try loss.check(architecture)
        let context = architecture.text.contextLength
        describe(examples, tokenizer, contextLength: context)
        let preprocessing = try start.preprocessing()
        let builder = try makeBuilder(examples, tokenizer, contextLength: context, preprocessing)
        let sampler = DistributedSampler(
            count: examples.items.count, batchSize: recipe.train.batchSize, seed: UInt64(recipe.seed), dropLast: true)
        let totalSteps = sampler.batchesPerEpoch * recipe.train.epochs
        let model = try makeModel(architecture, start, loss)
        let whole = EmbeddingModel(encoder: model, tokenizer: tokenizer, preprocessing: preprocessing)
        try whole.checkSaving()
        let trainer = try makeTrainer(model, loss, totalSteps: totalSteps)

        let resumedStep = try restore(trainer, checkpoint, fingerprint: fingerprint)
        let lockedCaptions = makeLockedCaptions(model, examples, tokenizer)
        // Also when the run stops early, for whatever reason, what was skipped is on disk.
        defer { try? SkippedRow.write(dataset.skipped + builder.skipped, to: folder.skipped) }
        try Files.replace(folder.recipe, with: recipe.text)
        let metrics = try MetricsLog(path: folder.metrics, resumedStep: resumedStep)
        // A run that was killed before its first checkpoint has left events that belong to nothing.
        if resumedStep == nil { try? FileManager.default.removeItem(atPath: folder.events) }
        let events = try EventFileWriter(
            folder: folder.events, time: Date().timeIntervalSince1970, host: ProcessInfo.processInfo.hostName,
            resumedStep: resumedStep.map { $0 + 1 })
        var done = resumedStep ?? 0
        let loader = builder.loader(sampler: sampler, batches: done..<totalSteps, threads: recipe.data.workers)
        let clock = TrainingClock(loader: loader, batchSize: recipe.train.batchSize, from: done)
        // New towers put all inputs near one point; later that is a collapse.
        let beginning = max(recipe.train.warmupSteps, totalSteps / 10)
        var warned = Set<EmbeddingWarning.Kind>()

        while let batch = try loader.next() {
            let rows = batch.tokens.flatMap(\.self), texts: ContrastiveTrainer.Texts
            if let lockedCaptions {
                texts = .vectors(lockedCaptions(rows))
            } else {
                let tokens = TokenRows(rows, tokenizer: tokenizer, tower: architecture.text)
                texts = .tokens(ids: tokens.ids, lengths: tokens.lengths)
            }
            let pixels = Tensor(batch.pixels, shape: [batch.count, 3, batch.size, batch.size])
            let labels = loss.needsLabels ? TrainingLoss.labels(batch.tokens) : nil
            let isLast = done + 1 == totalSteps, isLogged = isLast || (done + 1) % recipe.train.logEvery == 0
            var report = try trainer.step(done, pixels: pixels, texts: texts, labels: labels, measures: isLogged)
            done += 1
            report.epoch = (done - 1) / sampler.batchesPerEpoch
            let stops = InterruptSignal.hasArrived
            if isLogged {
                clock.fill(&report)
                try metrics.append(step: done, report.values)
                try events.append(
                    step: done, time: Date().timeIntervalSince1970,
                    report.values.map { (tag: "train/" + $0.name, value: $0.value) })
                bar.update(clock.line(report, total: totalSteps))
                for warning in report.warnings where done > beginning && warned.insert(warning.kind).inserted {
                    bar.print("step \(done): \(warning.message)")
                }
            }
            if isLast || stops || done % recipe.train.checkpointEvery == 0 {
                try TrainingCheckpoint.save(
                    step: done, store: model.store, optimizer: trainer.optimizer, averages: trainer.averages,
                    recipe: recipe, fingerprint: fingerprint, in: folder, keeping: recipe.train.checkpointsKept)
            }
            if stops && !isLast {
                loader.stop()
                bar.finish()
                return .interrupted(step: done)
            }
        }
        loader.stop()
        bar.finish()
        if !builder.skipped.isEmpty {
            bar.print("\(builder.skipped.count) pictures could not be decoded; see \(folder.skipped)")
        }
        try trainer.withFinalWeights {
            try finish(whole, dataset, steps: totalSteps, baseModel: start.name)
        }
        return .finished
    }

    // MARK: The end

    private func finish(
        _ model: EmbeddingModel, _ dataset: CaptionDataset, steps: Int, baseModel: String?
    ) throws {
        try model.save(
            to: folder.path,
            training: ModelManifest.Training(
                recipe: recipe.text, dataset: recipe.data.folder, steps: steps,
                tool: "concord \(ConcordVersion.current)", date: Date.now.formatted(.iso8601.year().month().day()),
                baseModel: baseModel))
        let gallery = try PictureGallery(
            model: model, dataset: dataset, maximumSkippedFraction: recipe.data.maximumSkippedFraction,
            progress: ProgressDisplay(label: "embedding", bar: bar))
        try TrainingReport(
            recipe: recipe, folder: folder, model: model, dataset: dataset, gallery: gallery,
            progress: ProgressDisplay(label: "captioning", bar: bar)
        ).write()
    }
}
