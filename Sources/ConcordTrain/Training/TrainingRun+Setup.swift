import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordEvaluate
import ConcordMedia
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordText
import Foundation

// What a run makes before its first step.
extension TrainingRun {
    /// The data of a run, and what follows from them; nothing is written to find it out.
    struct DataParts {
        let split: TrainingSplit
        let start: StartingModel
        let fingerprint: RunFingerprint
        /// What the run goes on from; nil when it starts anew.
        let checkpoint: TrainingCheckpoint?
        let plan: TrainingPlan
        /// The plan that the checkpoint was made by.
        let earlierPlan: TrainingPlan?
    }

    /// All that takes the steps.
    struct Parts {
        let data: DataParts
        let tokenizer: any Tokenizer
        let loss: TrainingLoss
        let survey: DataSurvey
        let builder: ContrastiveBatchBuilder<[[Int32]]>
        let sampler: DistributedSampler
        let model: any ImageTextEncoder
        /// The same model, as its users see it.
        let whole: EmbeddingModel
        let trainer: ContrastiveTrainer
    }

    func useThreads() {
        TorchRuntime.threadCount =
            recipe.train.threads > 0 ? recipe.train.threads : ProcessInfo.processInfo.activeProcessorCount
    }

    /// Reads the data, splits them and plans the run; what cannot be trained on is refused here.
    func readData() throws -> DataParts {
        let dataset = try readDataset()
        let checkpoint = resumes ? try TrainingCheckpoint.latest(in: folder) : nil
        if checkpoint == nil, folder.isFinished || epochsMore != nil {
            throw ConcordError(
                .invalidConfiguration,
                folder.isFinished
                    ? "\(folder.path) holds a finished run without checkpoints, so it cannot go on; start another from "
                        + "its model by model.start"
                    : "\(folder.path) has no checkpoint that --epochs-more could go on from; leave it out")
        }
        let split = try TrainingSplit(dataset, recipe, known: checkpoint == nil ? nil : folder.readHeldOut())
        try sampling.validate(for: split.examples)
        for name in split.evaluated {
            for language in evaluatedLanguages {
                try RetrievalEvaluation.check(
                    split.dataset, split: name, language: language, kind: recipe.evaluate.kind)
            }
        }
        let start = try StartingModel(recipe.model), fingerprint = try RunFingerprint(dataset, start)
        let pictures = split.examples.items.count
        let plans = try checkpoint?.plan(recipe, pictures: pictures, epochsMore: epochsMore, fingerprint: fingerprint)
        let plan = try plans?.now ?? TrainingPlan(recipe, pictures: pictures)
        for note in split.notes + plan.notes { bar.print(note) }
        return DataParts(
            split: split, start: start, fingerprint: fingerprint, checkpoint: checkpoint, plan: plan,
            earlierPlan: plans?.before)
    }

    private func readDataset() throws -> CaptionDataset {
        let dataset = try CaptionDataset(contentsOf: recipe.data.folder, options: recipe.data.fileOptions)
        for note in dataset.notes { bar.print(note) }
        if !dataset.skipped.isEmpty {
            bar.print("\(dataset.skipped.count) of \(dataset.rowCount) rows are skipped; see \(folder.skipped)")
        }
        return dataset
    }

    /// The languages that are measured one by one; nil stands for all as one.
    private var evaluatedLanguages: [String?] {
        recipe.evaluate.languages.isEmpty ? [nil] : recipe.evaluate.languages
    }

    /// Makes tokenizer, model and trainer.
    ///
    /// - Parameter isRehearsal: whether nothing is written, not even the tokenizer.
    func makeParts(_ data: DataParts, isRehearsal: Bool = false) throws -> Parts {
        let examples = data.split.examples, start = data.start, loss = TrainingLoss(recipe.loss)
        let tokenizer: any Tokenizer
        var towers: DualEncoderConfiguration
        if let loaded = try start.tokenizer() {
            tokenizer = loaded
            towers = try start.configuration(newTextTower: nil)
        } else {
            let made = try makeTokenizer(examples, isThere: data.checkpoint != nil)
            if !isRehearsal, data.checkpoint == nil {
                try made.write(to: folder.path, contextLength: recipe.model.contextLength)
            }
            tokenizer = made
            towers = try start.configuration(newTextTower: recipe.model.newTextTower(made))
        }
        try loss.configure(&towers, start: recipe.model.start)
        let architecture = try start.architecture(towers)
        try loss.check(architecture)
        let context = towers.text.contextLength, preprocessing = try start.preprocessing()
        let survey = DataSurvey(examples, sampling, tokenizer, contextLength: context)
        bar.print(
            "\(survey.pictures) pictures, \(survey.captions) captions, \(tokenizer.vocabularySize) tokens; "
                + "\(survey.truncated) captions are cut at \(context) tokens")
        for warning in survey.warnings(recipe, imageSize: preprocessing.cropSize, contextLength: context) {
            bar.print("warning: \(warning)")
        }
        let builder = try makeBuilder(examples, tokenizer, contextLength: context, preprocessing)
        let sampler = DistributedSampler(
            count: examples.items.count, batchSize: data.plan.batchSize, seed: UInt64(recipe.seed), dropLast: true)
        let model = try makeModel(architecture, start, loss)
        let whole = EmbeddingModel(encoder: model, tokenizer: tokenizer, preprocessing: preprocessing)
        try whole.checkSaving()
        let trainer = try makeTrainer(model, loss, data.plan)
        return Parts(
            data: data, tokenizer: tokenizer, loss: loss, survey: survey, builder: builder, sampler: sampler,
            model: model, whole: whole, trainer: trainer)
    }

    /// The tokenizer of a new text tower.
    ///
    /// - Parameter isThere: whether the run has written it already.
    private func makeTokenizer(_ examples: CaptionDataset, isThere: Bool) throws -> CLIPTokenizer {
        let mode = recipe.tokenizer.mode
        if isThere { return try CLIPTokenizer(folder: folder.path, mode: mode) }
        if let source = recipe.tokenizer.folder { return try CLIPTokenizer(folder: source, mode: mode) }
        return try BytePairTrainer.train(
            captions: examples.items.lazy.flatMap { $0.captions.map(\.text) },
            vocabularySize: recipe.tokenizer.vocabularySize, mode: mode)
    }

    var sampling: CaptionSampling {
        CaptionSampling(
            captionsPerImage: recipe.data.captionsPerImage, weights: recipe.data.captionWeights,
            languages: recipe.data.languages, avoidsDuplicateCaptions: recipe.data.avoidsDuplicateCaptions)
    }

    private func makeBuilder(
        _ examples: CaptionDataset, _ tokenizer: any Tokenizer, contextLength context: Int,
        _ preprocessing: ImagePreprocessing
    ) throws -> ContrastiveBatchBuilder<[[Int32]]> {
        let data = recipe.data
        var augmentation = TrainingAugmentation()
        augmentation.scale = data.scale
        augmentation.ratio = data.ratio
        augmentation.flipProbability = data.flip
        augmentation.jitterProbability = data.jitter
        augmentation.brightness = data.brightness
        augmentation.contrast = data.contrast
        augmentation.saturation = data.saturation
        augmentation.hue = data.hue
        augmentation.grayProbability = data.grey
        return try ContrastiveBatchBuilder(
            dataset: examples, preprocessing: preprocessing, augmentation: augmentation, sampling: sampling,
            seed: UInt64(recipe.seed), cacheLimit: data.cacheMegabytes << 20,
            maximumSkippedFraction: data.maximumSkippedFraction
        ) { texts in texts.map { tokenizer.encode($0, contextLength: context).ids } }
    }

    /// The model with its first weights; what the recipe keeps does not train.
    private func makeModel(
        _ architecture: ModelFolder.Architecture, _ start: StartingModel, _ loss: TrainingLoss
    ) throws -> any ImageTextEncoder {
        let store = ParameterStore(
            seed: UInt64(recipe.seed), sources: try start.sources(architecture),
            adaptation: recipe.train.adapters.adaptation, device: device)
        store.usesActivationCheckpointing = recipe.train.usesActivationCheckpointing
        guard var model = architecture.makeModel(store: store) as? any ImageTextEncoder else {
            preconditionFailure("a model that trains compares images with texts")
        }
        try store.finishLoading()
        model.patchDropout = recipe.train.patchDropout
        loss.prepare(model)
        try FineTuning(recipe.train).apply(to: model)
        for note in store.notes + loss.notes(architecture) { bar.print(note) }
        bar.print(FineTuning.summary(store, from: start.name))
        return model
    }

    /// The vectors of all captions that may be drawn, where the text tower is locked and there is memory for them.
    func makeLockedCaptions(_ parts: Parts) -> LockedCaptions? {
        let model = parts.model, tokenizer = parts.tokenizer
        // A decoder reads the states of all tokens, so that for a CoCa vectors would not do.
        guard !(model is any CaptioningModel), FineTuning(recipe.train).keepsTexts(of: model),
            recipe.train.textCacheMegabytes > 0
        else { return nil }
        let context = model.textConfiguration.contextLength, sampling = sampling
        let captions = parts.data.split.examples.items.lazy.flatMap { $0.captions.filter(sampling.mayDraw) }
        let locked = LockedCaptions(
            captions.map { tokenizer.encode($0.text, contextLength: context).ids }, model: model,
            tokenizer: tokenizer, limit: recipe.train.textCacheMegabytes << 20,
            progress: ProgressDisplay(label: "caption", bar: bar))
        if locked == nil {
            bar.print(
                "the vectors of all captions need more than train.text_cache_megabytes "
                    + "\(recipe.train.textCacheMegabytes), so captions are embedded at every step")
        }
        return locked
    }

    private func makeTrainer(
        _ model: any ImageTextEncoder, _ loss: TrainingLoss, _ plan: TrainingPlan
    ) throws(ConcordError) -> ContrastiveTrainer {
        let train = recipe.train
        let precision = train.precision.dtype(on: device)
        let schedule = plan.schedule(train)
        let options = AdamW.Options(
            beta1: train.beta1, beta2: train.beta2, epsilon: train.epsilon, weightDecay: train.weightDecay)
        let layerDecay = train.layerDecay < 1 ? LayerDecay(train.layerDecay, model: model) : nil
        let gradientClip = train.gradientClip > 0 ? train.gradientClip : nil
        let averageDecay = train.emaDecay > 0 ? train.emaDecay : nil
        if let model = model as? any CaptioningModel {
            return ContrastiveTrainer(
                captioning: model, loss: try loss.captioning(model), plan: loss.plan, schedule: schedule,
                options: options, layerDecay: layerDecay, precision: precision, gradientClip: gradientClip,
                averageDecay: averageDecay, seed: UInt64(recipe.seed))
        }
        return ContrastiveTrainer(
            model: model, loss: try loss.make(model), plan: loss.plan, matryoshkaWidths: loss.matryoshkaWidths,
            schedule: schedule, options: options, layerDecay: layerDecay, precision: precision,
            gradientClip: gradientClip, averageDecay: averageDecay, seed: UInt64(recipe.seed))
    }

    /// Puts the state of the checkpoint back.
    ///
    /// - Returns: the steps done before; nil when the run starts anew.
    func restore(_ parts: Parts) throws -> Int? {
        guard resumes else { return nil }
        guard let checkpoint = parts.data.checkpoint else {
            bar.print("\(folder.path) has no checkpoint yet; training starts from the beginning")
            return nil
        }
        try checkpoint.restore(
            store: parts.model.store, optimizer: parts.trainer.optimizer, averages: parts.trainer.averages)
        bar.print("going on after step \(checkpoint.step)")
        if let earlier = parts.data.earlierPlan, earlier.epochs < parts.data.plan.epochs {
            bar.print(parts.data.plan.extensionNote(after: checkpoint.step, of: earlier, recipe.train))
        }
        return checkpoint.step
    }
}
