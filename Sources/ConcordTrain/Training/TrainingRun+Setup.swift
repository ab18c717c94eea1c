import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordMedia
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordText
import Foundation

// What a run makes before its first step.
extension TrainingRun {
    func readDataset() throws -> CaptionDataset {
        let dataset = try CaptionDataset(contentsOf: recipe.data.folder, options: recipe.data.fileOptions)
        for note in dataset.notes { bar.print(note) }
        if !dataset.skipped.isEmpty {
            bar.print("\(dataset.skipped.count) of \(dataset.rowCount) rows are skipped; see \(folder.skipped)")
        }
        return dataset
    }

    /// The languages that are measured one by one; nil stands for all as one.
    var evaluatedLanguages: [String?] {
        recipe.evaluate.languages.isEmpty ? [nil] : recipe.evaluate.languages
    }

    /// The tokenizer of a new text tower.
    ///
    /// - Parameter isThere: whether the run has written it already.
    func makeTokenizer(_ examples: CaptionDataset, isThere: Bool) throws -> CLIPTokenizer {
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
        return tokenizer
    }

    func describe(_ examples: CaptionDataset, _ tokenizer: any Tokenizer, contextLength context: Int) {
        let captions = examples.items.flatMap(\.captions)
        let truncated = captions.count { tokenizer.encode($0.text, contextLength: context).isTruncated }
        bar.print(
            "\(examples.items.count) pictures, \(captions.count) captions, \(tokenizer.vocabularySize) tokens; "
                + "\(truncated) captions are cut at \(context) tokens")
    }

    var sampling: CaptionSampling {
        CaptionSampling(
            captionsPerImage: recipe.data.captionsPerImage, weights: recipe.data.captionWeights,
            languages: recipe.data.languages, avoidsDuplicateCaptions: recipe.data.avoidsDuplicateCaptions)
    }

    func makeBuilder(
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
        augmentation.greyProbability = data.grey
        return try ContrastiveBatchBuilder(
            dataset: examples, preprocessing: preprocessing, augmentation: augmentation, sampling: sampling,
            seed: UInt64(recipe.seed), cacheLimit: data.cacheMegabytes << 20,
            maximumSkippedFraction: data.maximumSkippedFraction
        ) { texts in texts.map { tokenizer.encode($0, contextLength: context).ids } }
    }

    /// The model with its first weights; what the recipe keeps does not train.
    func makeModel(
        _ architecture: ModelFolder.Architecture, _ start: StartingModel, _ loss: TrainingLoss
    ) throws -> any ImageTextEncoder {
        let store = ParameterStore(
            seed: UInt64(recipe.seed), sources: try start.sources(architecture),
            adaptation: recipe.train.adapters.adaptation, device: device)
        store.usesActivationCheckpointing = recipe.train.usesActivationCheckpointing
        var model: any ImageTextEncoder
        switch architecture {
        case .dualEncoder(let configuration): model = DualEncoder(configuration, store: store)
        case .coca(let configuration): model = CoCa(configuration, store: store)
        case .sentenceEncoder: preconditionFailure("a model that trains has an image tower")
        }
        try store.finishLoading()
        model.vision.patchDropout = recipe.train.patchDropout
        loss.prepare(model)
        try FineTuning(recipe.train).apply(to: model)
        for note in store.notes + loss.notes(architecture) { bar.print(note) }
        bar.print(FineTuning.summary(store, from: start.name))
        return model
    }

    /// The vectors of all captions that may be drawn, where the text tower is locked and there is memory for them.
    func makeLockedCaptions(
        _ model: any ImageTextEncoder, _ examples: CaptionDataset, _ tokenizer: any Tokenizer
    ) -> LockedCaptions? {
        // A decoder reads the states of all tokens, so that for a CoCa vectors would not do.
        guard !(model is CoCa), FineTuning(recipe.train).keepsTexts(of: model), recipe.train.textCacheMegabytes > 0
        else { return nil }
        let context = model.textConfiguration.contextLength, sampling = sampling
        let captions = examples.items.lazy.flatMap { $0.captions.filter(sampling.mayDraw) }
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

    func makeTrainer(
        _ model: any ImageTextEncoder, _ loss: TrainingLoss, totalSteps: Int
    ) throws(ConcordError) -> ContrastiveTrainer {
        let train = recipe.train
        let computesInBFloat16 =
            switch train.precision {
            case .float32: false
            case .bfloat16: true
            case .auto: device.kind != .cpu || TorchRuntime.hasFastBFloat16
            }
        let precision = computesInBFloat16 ? DType.bfloat16 : .float32
        let schedule = LearningRateSchedule(
            train.schedule, peak: train.learningRate, warmupSteps: train.warmupSteps, totalSteps: totalSteps)
        let options = AdamW.Options(
            beta1: train.beta1, beta2: train.beta2, epsilon: train.epsilon, weightDecay: train.weightDecay)
        let layerDecay = train.layerDecay < 1 ? LayerDecay(train.layerDecay, model: model) : nil
        let gradientClip = train.gradientClip > 0 ? train.gradientClip : nil
        let averageDecay = train.emaDecay > 0 ? train.emaDecay : nil
        if let model = model as? CoCa {
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

    /// The steps done before; nil when the run starts anew.
    func restore(
        _ trainer: ContrastiveTrainer, _ checkpoint: TrainingCheckpoint?, fingerprint: RunFingerprint
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
}
