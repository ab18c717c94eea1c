import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordEvaluate
import ConcordMedia
import ConcordTensor
import ConcordText

/// The data of a run, and what follows from them.
struct TrainingData {
    let split: TrainingSplit
    let source: PretrainedSource
    let fingerprint: RunFingerprint
    /// The checkpoint that the run resumes from; nil when it starts anew.
    let checkpoint: TrainingCheckpoint?
    let plan: TrainingPlan
    /// The plan that the checkpoint was made by.
    let earlierPlan: TrainingPlan?

    /// Reads the captions, splits them and plans the run. Nothing is written.
    ///
    /// - Throws: a `ConcordError` for data that cannot be trained on or measured, and for a folder that holds no
    ///   checkpoint to resume from, or one of another recipe or other data.
    static func read(
        _ recipe: Recipe, in folder: RunFolder, resumes: Bool, epochsMore: Int?, bar: ProgressBar
    ) throws -> TrainingData {
        let dataset = try CaptionDataset(contentsOf: recipe.data.folder, options: recipe.data.fileOptions)
        for note in dataset.notes { bar.print(note) }
        if !dataset.skipped.isEmpty {
            bar.print("\(dataset.skipped.count) of \(dataset.rowCount) rows are skipped; see \(folder.skipped)")
        }
        let checkpoint = resumes ? try TrainingCheckpoint.latest(in: folder) : nil
        if checkpoint == nil, folder.isFinished || epochsMore != nil {
            throw ConcordError(
                .invalidConfiguration,
                folder.isFinished
                    ? "\(folder.path) holds a finished run without checkpoints, so it cannot be resumed; start a "
                        + "new run from its model with model.start"
                    : "\(folder.path) has no checkpoint for --epochs-more to continue from; leave it out")
        }
        let split = try TrainingSplit(dataset, recipe, known: checkpoint == nil ? nil : folder.readHeldOut())
        try recipe.data.sampling.validate(for: split.examples)
        for name in split.evaluated {
            for language in recipe.evaluate.measuredLanguages {
                try RetrievalEvaluation.check(
                    split.dataset, split: name, language: language, kind: recipe.evaluate.kind)
            }
        }
        let source = try PretrainedSource(recipe.model)
        let fingerprint = try RunFingerprint(dataset, source)
        let images = split.examples.items.count
        let plans = try checkpoint?.plan(recipe, images: images, epochsMore: epochsMore, fingerprint: fingerprint)
        let plan = try plans?.now ?? TrainingPlan(recipe, images: images)
        for note in split.notes + plan.notes { bar.print(note) }
        return TrainingData(
            split: split, source: source, fingerprint: fingerprint, checkpoint: checkpoint, plan: plan,
            earlierPlan: plans?.before)
    }

    /// The order of the images of every epoch, and this process's part of each batch.
    func sampler(seed: Int, group: ProcessGroup?) -> DistributedSampler {
        DistributedSampler(
            count: split.examples.items.count, batchSize: plan.batchSize, seed: UInt64(seed), rank: group?.rank ?? 0,
            worldSize: group?.worldSize ?? 1, dropLast: true)
    }
}

extension Recipe.DataSection {
    /// The sampling of captions.
    var sampling: CaptionSampling {
        var sampling = CaptionSampling(
            captionsPerImage: captionsPerImage, weights: captionWeights, languages: languages,
            avoidsDuplicateCaptions: avoidsDuplicateCaptions)
        sampling.soundsPerImage = soundsPerImage
        return sampling
    }

    /// The augmentation of images.
    private var augmentation: TrainingAugmentation {
        var augmentation = TrainingAugmentation()
        augmentation.scale = scale
        augmentation.ratio = ratio
        augmentation.flipProbability = flip
        augmentation.jitterProbability = jitter
        augmentation.brightness = brightness
        augmentation.contrast = contrast
        augmentation.saturation = saturation
        augmentation.hue = hue
        augmentation.grayProbability = grey
        return augmentation
    }

    /// Makes what turns images, captions and sounds into batches.
    ///
    /// - Parameter audio: the tower that hears sounds; nil leaves them out.
    func makeCollator(
        _ examples: CaptionDataset, preprocessing: ImagePreprocessing, audio: AudioTowerConfiguration?,
        tokenizer: any Tokenizer, contextLength: Int, seed: Int
    ) throws -> ContrastiveCollator {
        let sounds = audio.map { tower in
            ContrastiveCollator.Sounds(
                .speech, augmentation: audioAugmentation, maximumFrames: tower.frames.upperBound)
        }
        return try ContrastiveCollator(
            dataset: examples, preprocessing: preprocessing, augmentation: augmentation, sounds: sounds,
            sampling: sampling, onBadInput: onBadInput, seed: UInt64(seed), cacheLimit: cacheMegabytes << 20,
            maximumSkippedFraction: maximumSkippedFraction
        ) { texts in texts.map { tokenizer.encode($0, contextLength: contextLength).ids } }
    }
}

extension Recipe.TokenizerSection {
    /// The tokenizer of a new text tower: read from a folder, or trained on the captions.
    ///
    /// - Parameter resuming: the folder of a run that has written its tokenizer already.
    func makeTokenizer(_ examples: CaptionDataset, resuming: String?) throws -> CLIPTokenizer {
        if let source = resuming ?? folder { return try CLIPTokenizer(folder: source, mode: mode) }
        return try BytePairTrainer.train(
            captions: examples.items.lazy.flatMap { $0.captions.map(\.text) }, vocabularySize: vocabularySize,
            mode: mode)
    }
}
