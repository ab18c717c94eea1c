import ConcordCheckpoint
import ConcordCore
import ConcordData
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

    private let recipe: Recipe
    private let folder: RunFolder
    private let resumes: Bool
    private let device: Device
    private let bar = ProgressBar()

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
        try Files.makeFolder(folder.path)
        let lock = try RunLock(folder)
        defer { withExtendedLifetime(lock) {} }
        let dataset = try readDataset()
        let examples = dataset.filtered(split: recipe.data.split.isEmpty ? nil : recipe.data.split)
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
        let fingerprint = try FileHash(.sha256, ofFile: dataset.captionFile).hexadecimal
        let tokenizer = try makeTokenizer(examples, isThere: checkpoint != nil)
        let preprocessing = ImagePreprocessing.clip(size: recipe.model.imageSize)
        let builder = try makeBuilder(examples, tokenizer, preprocessing)
        let sampler = DistributedSampler(
            count: examples.items.count, batchSize: recipe.train.batchSize, seed: UInt64(recipe.seed), dropLast: true)
        let totalSteps = sampler.batchesPerEpoch * recipe.train.epochs
        let trainer = try makeTrainer(tokenizer, totalSteps: totalSteps)

        let start = try restore(trainer, checkpoint, fingerprint: fingerprint)
        // Also when the run stops early, for whatever reason, what was skipped is on disk.
        defer { try? SkippedRow.write(dataset.skipped + builder.skipped, to: folder.skipped) }
        try Files.replace(folder.recipe, with: recipe.text)
        let metrics = try MetricsLog(path: folder.metrics, resumedStep: start)
        let events = try EventFileWriter(
            folder: folder.events, time: Date().timeIntervalSince1970, host: ProcessInfo.processInfo.hostName,
            resumedStep: start.map { $0 + 1 })
        let loader = builder.loader(
            sampler: sampler, batches: (start ?? 0)..<totalSteps, threads: recipe.data.workers)
        let clock = TrainingClock(loader: loader, batchSize: recipe.train.batchSize, from: start ?? 0)

        var done = start ?? 0
        while let batch = try loader.next() {
            let (pixels, ids) = tensors(batch)
            var report = try trainer.step(done, pixels: pixels, ids: ids)
            done += 1
            report.epoch = (done - 1) / sampler.batchesPerEpoch
            let isLast = done == totalSteps, stops = InterruptSignal.hasArrived
            if done % recipe.train.logEvery == 0 || isLast {
                clock.fill(&report)
                try metrics.append(step: done, report.values)
                try events.append(
                    step: done, time: Date().timeIntervalSince1970,
                    report.values.map { (tag: "train/" + $0.name, value: $0.value) })
                bar.update(clock.line(report, total: totalSteps))
            }
            if isLast || stops || done % recipe.train.checkpointEvery == 0 {
                try TrainingCheckpoint.save(
                    step: done, store: trainer.model.store, optimizer: trainer.optimizer, averages: trainer.averages,
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
            try finish(
                EmbeddingModel(encoder: trainer.model, tokenizer: tokenizer, preprocessing: preprocessing), dataset,
                steps: totalSteps)
        }
        return .finished
    }

    // MARK: Getting ready

    private func readDataset() throws -> CaptionDataset {
        var options = CaptionFileOptions()
        options.imageColumn = recipe.data.imageColumn
        options.captionColumns = recipe.data.captionColumns.isEmpty ? nil : recipe.data.captionColumns
        options.maximumSkippedFraction = recipe.data.maximumSkippedFraction
        let dataset = try CaptionDataset(contentsOf: recipe.data.folder, options: options)
        if !dataset.skipped.isEmpty {
            bar.print("\(dataset.skipped.count) of \(dataset.rowCount) rows are skipped; see \(folder.skipped)")
        }
        return dataset
    }

    /// The languages that are measured one by one; nil stands for all as one.
    private var evaluatedLanguages: [String?] {
        recipe.evaluate.languages.isEmpty ? [nil] : recipe.evaluate.languages
    }

    private func makeTokenizer(_ examples: CaptionDataset, isThere: Bool) throws -> CLIPTokenizer {
        let mode = recipe.tokenizer.mode, context = recipe.model.contextLength
        let tokenizer: CLIPTokenizer
        if isThere {
            tokenizer = try CLIPTokenizer(folder: folder.path, mode: mode)
        } else if let source = recipe.tokenizer.folder {
            tokenizer = try CLIPTokenizer(folder: source, mode: mode)
            try tokenizer.write(to: folder.path, contextLength: context)
        } else {
            tokenizer = try BytePairTrainer.train(
                captions: examples.items.lazy.flatMap { $0.captions.map(\.text) },
                vocabularySize: recipe.tokenizer.vocabularySize, mode: mode)
            try tokenizer.write(to: folder.path, contextLength: context)
        }
        let captions = examples.items.flatMap(\.captions)
        let truncated = captions.count { tokenizer.encode($0.text, contextLength: context).isTruncated }
        bar.print(
            "\(examples.items.count) pictures, \(captions.count) captions, \(tokenizer.vocabularySize) tokens; "
                + "\(truncated) captions are cut at \(context) tokens")
        return tokenizer
    }

    private func makeBuilder(
        _ examples: CaptionDataset, _ tokenizer: CLIPTokenizer, _ preprocessing: ImagePreprocessing
    ) throws -> ContrastiveBatchBuilder<[[Int32]]> {
        let data = recipe.data, context = recipe.model.contextLength
        var augmentation = TrainingAugmentation()
        augmentation.scale = data.scale
        augmentation.ratio = data.ratio
        augmentation.flipProbability = data.flip
        augmentation.jitterProbability = data.jitter
        augmentation.brightness = data.brightness
        augmentation.contrast = data.contrast
        augmentation.saturation = data.saturation
        augmentation.hue = data.hue
        augmentation.greyProbability = data.grey
        let sampling = CaptionSampling(
            captionsPerImage: data.captionsPerImage, weights: data.captionWeights, languages: data.languages,
            avoidsDuplicateCaptions: data.avoidsDuplicateCaptions)
        return try ContrastiveBatchBuilder(
            dataset: examples, preprocessing: preprocessing, augmentation: augmentation, sampling: sampling,
            seed: UInt64(recipe.seed), cacheLimit: data.cacheMegabytes << 20,
            maximumSkippedFraction: data.maximumSkippedFraction
        ) { texts in texts.map { tokenizer.encode($0, contextLength: context).ids } }
    }

    private func makeTrainer(_ tokenizer: CLIPTokenizer, totalSteps: Int) throws -> ContrastiveTrainer {
        let train = recipe.train
        let store = ParameterStore(seed: UInt64(recipe.seed), device: device)
        store.usesActivationCheckpointing = train.usesActivationCheckpointing
        var model = DualEncoder(recipe.model.configuration(tokenizer), store: store)
        model.vision.patchDropout = train.patchDropout
        try store.freeze(matching: train.frozen)
        guard !store.trainable.isEmpty else {
            throw ConcordError(.invalidConfiguration, "train.frozen leaves nothing to train; freeze less")
        }
        let computesInBFloat16 =
            switch train.precision {
            case .float32: false
            case .bfloat16: true
            case .auto: device.kind != .cpu || TorchRuntime.hasFastBFloat16
            }
        return ContrastiveTrainer(
            model: model,
            schedule: LearningRateSchedule(
                train.schedule, peak: train.learningRate, warmupSteps: train.warmupSteps, totalSteps: totalSteps),
            options: AdamW.Options(
                beta1: train.beta1, beta2: train.beta2, epsilon: train.epsilon, weightDecay: train.weightDecay),
            precision: computesInBFloat16 ? .bfloat16 : .float32,
            gradientClip: train.gradientClip > 0 ? train.gradientClip : nil,
            averageDecay: train.emaDecay > 0 ? train.emaDecay : nil, seed: UInt64(recipe.seed))
    }

    /// The steps done before; nil when the run starts anew.
    private func restore(
        _ trainer: ContrastiveTrainer, _ checkpoint: TrainingCheckpoint?, fingerprint: String
    ) throws -> Int? {
        guard resumes else { return nil }
        guard let checkpoint else {
            bar.print("\(folder.path) has no checkpoint yet; training starts from the beginning")
            return nil
        }
        try checkpoint.restore(
            store: trainer.model.store, optimizer: trainer.optimizer, averages: trainer.averages, recipe: recipe,
            fingerprint: fingerprint)
        bar.print("going on after step \(checkpoint.step)")
        return checkpoint.step
    }

    /// A batch as tensors: pixels `[batch, 3, size, size]` and ids `[slots · batch, longest]`.
    private func tensors(_ batch: ContrastiveBatch<[[Int32]]>) -> (pixels: Tensor, ids: Tensor) {
        let rows = batch.tokens.flatMap(\.self)
        let longest = rows.map(\.count).max() ?? 0
        // What stands behind the end token is never looked at, so that any id may fill the rows up.
        let padded = rows.flatMap { $0 + Array(repeating: $0[$0.count - 1], count: longest - $0.count) }
        return (
            Tensor(batch.pixels, shape: [batch.count, 3, batch.size, batch.size]),
            Tensor(padded, shape: [rows.count, longest]).to(.int64)
        )
    }

    // MARK: The end

    private func finish(_ model: EmbeddingModel, _ dataset: CaptionDataset, steps: Int) throws {
        try model.save(
            to: folder.path,
            training: ModelManifest.Training(
                recipe: recipe.text, dataset: recipe.data.folder, steps: steps,
                tool: "concord \(ConcordVersion.current)", date: Date.now.formatted(.iso8601.year().month().day())))
        let gallery = try PictureGallery(
            model: model, dataset: dataset, maximumSkippedFraction: recipe.data.maximumSkippedFraction,
            progress: ProgressDisplay(label: "embedding", bar: bar))
        try TrainingReport(recipe: recipe, folder: folder, model: model, dataset: dataset, gallery: gallery).write()
    }
}
