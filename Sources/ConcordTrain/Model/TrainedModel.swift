import ConcordCheckpoint
import ConcordCore
import ConcordData
import ConcordEvaluate
import ConcordLosses
import ConcordMedia
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordText

// The model that a run trains, and the trainer around it.
extension TrainingRun {
    /// Everything that the steps need.
    struct Setup {
        let data: TrainingData
        let survey: DataSurvey
        let tokenizer: any Tokenizer
        let collator: ContrastiveCollator
        let model: any ImageTextEncoder
        /// The same model, as its users see it.
        let embeddingModel: EmbeddingModel
        let trainer: Trainer
        /// Whether the loss asks which captions of a batch read the same.
        let needsGroups: Bool

        /// The samples of the loader as the trainer takes them.
        ///
        /// - Parameters:
        ///   - frozenTexts: the vectors of captions, in place of their tokens.
        ///   - epoch: the pass over the data, from 0.
        func batch(
            _ samples: SampleBatch, _ frozenTexts: FrozenTextCache?, epoch: Int
        ) throws(ConcordError) -> Batch {
            var modalities = [Modality: ModalityBatch]()
            if case .numbers(let pixels, let shape) = samples[.image] {
                let rows = samples.rows(with: .image)
                modalities[.image] = ModalityBatch(
                    Tensor(pixels, shape: [rows?.count ?? samples.count] + shape), rows: rows)
            }
            if case .tokens(let views) = samples[.text] {
                let groups = needsGroups ? ModalityBatch.groups(of: views) : nil
                let rows = samples.rows(with: .text)
                modalities[.text] =
                    frozenTexts?.batch(of: views, rows: rows, groups: groups)
                    ?? ModalityBatch(
                        captions: views, rows: rows, tokenizer: tokenizer, tower: model.textConfiguration,
                        groups: groups)
            }
            if case .frames(let values, let views, let shape, let lengths) = samples[.audio] {
                modalities[.audio] = ModalityBatch(
                    Tensor(values, shape: [lengths.count / views, views] + shape),
                    lengths: Tensor(lengths, shape: [lengths.count / views, views]), rows: samples.rows(with: .audio),
                    hasViews: true)
            }
            return try Batch(
                modalities, count: samples.count, sampleIDs: samples.sampleIDs, firstRow: samples.rows.lowerBound,
                epoch: epoch)
        }
    }

    /// Makes tokenizer, model, loss and trainer.
    ///
    /// - Parameter isRehearsal: whether nothing is written, not even the tokenizer.
    func setUp(_ data: TrainingData, isRehearsal: Bool = false) throws -> Setup {
        let examples = data.split.examples
        let source = data.source

        let tokenizer: any Tokenizer
        var towers: DualEncoderConfiguration
        if let loaded = try source.tokenizer() {
            tokenizer = loaded
            towers = try source.configuration(newTextTower: nil)
        } else {
            let new = try recipe.tokenizer.makeTokenizer(examples, resuming: data.checkpoint == nil ? nil : folder.path)
            if !isRehearsal, data.checkpoint == nil, members.isWriter {
                try new.write(to: folder.path, contextLength: recipe.model.contextLength)
            }
            tokenizer = new
            towers = try source.configuration(newTextTower: recipe.model.newTextTower(new))
        }
        try recipe.loss.configure(&towers, start: recipe.model.start)
        let architecture = try source.architecture(towers)
        try recipe.loss.check(architecture)

        let contextLength = towers.text.contextLength
        let preprocessing = try source.preprocessing()
        let survey = DataSurvey(
            examples, recipe.data.sampling, tokenizer, contextLength: contextLength, hears: architecture.audio != nil)
        guard architecture.audio == nil || survey.sounds > 0 else {
            throw ConcordError(
                .invalidDataset,
                "this model has a tower for sounds, and \(recipe.data.folder) has none to train on; add a column `audio`, or "
                    + "a sounds.tsv, or leave model.audio out")
        }
        for note in survey.notes(recipe, imageSize: preprocessing.cropSize) { bar.print(note) }
        if let note = recipe.train.precision.note(on: device) { bar.print(note) }
        let collator = try recipe.data.makeCollator(
            examples, preprocessing: preprocessing, audio: architecture.audio, tokenizer: tokenizer,
            contextLength: contextLength, seed: recipe.seed)

        let model = try makeModel(architecture, from: source)
        let embeddingModel = EmbeddingModel(
            encoder: model, tokenizer: tokenizer, preprocessing: preprocessing,
            audioPreprocessing: architecture.audio == nil ? nil : .speech)
        try embeddingModel.checkSaving()
        return Setup(
            data: data, survey: survey, tokenizer: tokenizer, collator: collator, model: model,
            embeddingModel: embeddingModel, trainer: try makeTrainer(model, data.plan),
            needsGroups: recipe.loss.needsGroups)
    }

    /// Makes the model with its first weights; what the recipe freezes does not train.
    func makeModel(
        _ architecture: ModelFolder.Architecture, from source: PretrainedSource
    ) throws -> any ImageTextEncoder {
        let store = ParameterStore(
            seed: UInt64(recipe.seed), sources: try source.sources(architecture),
            adaptation: recipe.train.adapters.adaptation, device: device)
        store.usesActivationCheckpointing = recipe.train.usesActivationCheckpointing
        guard var model = architecture.makeModel(store: store) as? any ImageTextEncoder else {
            preconditionFailure("a model that trains compares images with texts")
        }
        try store.finishLoading()
        model.patchDropout = recipe.train.patchDropout
        recipe.loss.prepare(model)
        try FineTuning(recipe.train).apply(to: model)
        for note in store.notes + recipe.loss.notes(architecture) { bar.print(note) }
        bar.print(FineTuning.summary(store, from: source.name))
        return model
    }

    /// The vectors of all captions that may be drawn, if the text tower is frozen and they fit into memory.
    func embedFrozenTexts(_ setup: Setup) -> FrozenTextCache? {
        let model = setup.model
        let tokenizer = setup.tokenizer
        // A decoder reads the states of all tokens, so that vectors would not do.
        guard !(model is any CaptioningModel), FineTuning(recipe.train).freezesText(of: model),
            recipe.train.textCacheMegabytes > 0
        else { return nil }
        let contextLength = model.textConfiguration.contextLength
        let sampling = recipe.data.sampling
        let captions = setup.data.split.examples.items.lazy.flatMap { $0.captions.filter(sampling.mayDraw) }
        let cache = FrozenTextCache.embed(
            captions.map { tokenizer.encode($0.text, contextLength: contextLength).ids }, model: model,
            tokenizer: tokenizer, limit: recipe.train.textCacheMegabytes << 20,
            progress: ProgressDisplay(label: "caption", bar: bar))
        if cache == nil {
            bar.print(
                "the vectors of all captions need more than train.text_cache_megabytes "
                    + "\(recipe.train.textCacheMegabytes), so captions are embedded at every step")
        }
        return cache
    }

    /// Makes the trainer, with the objectives and the optimizer of the recipe.
    func makeTrainer(_ model: any ImageTextEncoder, _ plan: TrainingPlan) throws(ConcordError) -> Trainer {
        let train = recipe.train
        let layerDecay = train.layerDecay < 1 ? LayerDecay(train.layerDecay, model: model) : nil
        let processes = members.group?.worldSize ?? 1
        var options = Trainer.Options(
            schedule: plan.schedule(train),
            optimizer: AdamW.Options(
                beta1: train.beta1, beta2: train.beta2, epsilon: train.epsilon, weightDecay: train.weightDecay),
            plan: recipe.loss.executionPlan(
                accumulating: train.accumulate, rowCount: (plan.batchSize + processes - 1) / processes),
            learningRateScale: { layerDecay?.factor(for: $0) ?? 1 }, precision: train.precision,
            gradientClip: train.gradientClip > 0 ? train.gradientClip : nil,
            averageDecay: train.emaDecay > 0 ? train.emaDecay : nil, seed: UInt64(recipe.seed), group: members.group)
        options.gradientCompression = train.gradientCompression
        options.shardsOptimizer = train.shardsOptimizer
        return Trainer(model: model, objectives: try recipe.loss.makeObjectives(for: model), options: options)
    }
}

// What a loss asks of the model.
extension Recipe.LossSection {
    /// The initial values of SigLIP (Zhai et al. 2023): a logit scale of 10, and a bias by which most pairs are
    /// none.
    private static let sigmoidStart = (temperature: 0.1, bias: -10.0)

    /// Gives a configuration the logit scale and bias that the loss begins with.
    ///
    /// - Parameter start: the folder whose scale and bias are loaded; nil where they are new.
    /// - Throws: `.invalidConfiguration` for widths that the embeddings do not have, and for a start without the bias
    ///   that the loss needs.
    func configure(_ configuration: inout DualEncoderConfiguration, start: String?) throws(ConcordError) {
        try checkWidths(configuration.projectionWidth)
        if start == nil {
            if kind == .siglip {
                configuration.initialLogitScale = -log(Self.sigmoidStart.temperature)
                configuration.initialLogitBias = Self.sigmoidStart.bias
            }
            // Written into the model's configuration, too.
            if let temperature = firstTemperature { configuration.initialLogitScale = -log(temperature) }
            if let bias = initialBias { configuration.initialLogitBias = bias }
        } else if kind == .siglip, configuration.initialLogitBias == nil {
            throw ConcordError(
                .invalidConfiguration,
                "loss.kind siglip needs a logit bias, which \(start ?? "the model") of model.start lacks; name it as "
                    + "model.image_tower and model.text_tower, and scale and bias are new, or take loss.kind infonce")
        }
    }

    /// Throws `.invalidConfiguration` for what the model that is trained has no use for, or cannot do.
    func check(_ architecture: ModelFolder.Architecture) throws(ConcordError) {
        if kind == .siglip, case .fused = architecture {
            throw ConcordError(
                .invalidConfiguration,
                "loss.kind siglip needs a logit bias, which a fused model lacks; take loss.kind infonce or triplet")
        }
        if architecture.audio == nil,
            let pair = pairs.keys.first(where: { $0 != .imageText })
        {
            throw ConcordError(
                .invalidConfiguration,
                "loss.pairs has \(pair.rawValue), and this model has no audio tower; leave it out, or choose "
                    + "model.audio.kind speech")
        }
        guard architecture.decoder != nil else {
            guard !objectives.contains(.captioning) else {
                throw ConcordError(
                    .invalidConfiguration,
                    "loss.objectives lists captioning, and this model has no decoder; leave it out, or choose model.kind "
                        + "coca")
            }
            guard let key = givenCaptionKeys.first else { return }
            throw ConcordError(
                .invalidConfiguration,
                "loss.\(key) is for a CoCa, and this model has no decoder; leave it out, or choose model.kind coca")
        }
        guard kind != .siglip else {
            throw ConcordError(
                .invalidConfiguration,
                "loss.kind siglip needs a logit bias, which a CoCa lacks; take loss.kind infonce or triplet")
        }
        guard matryoshka.isEmpty else {
            throw ConcordError(
                .invalidConfiguration, "loss.matryoshka is for models without a decoder; leave it out for a CoCa")
        }
    }

    private var firstTemperature: Double? { temperature ?? initialTemperature }

    private func checkWidths(_ width: Int) throws(ConcordError) {
        let widths = matryoshka
        guard let widest = widths.max() else { return }
        let list = widths.map(String.init).joined(separator: ", ")
        guard widest == width else {
            throw ConcordError(
                .invalidConfiguration,
                "loss.matryoshka is [\(list)] and the embeddings have \(width) columns; the widest must be \(width), or "
                    + "columns would stay untrained or be missing")
        }
        guard Set(widths).count == widths.count else {
            throw ConcordError(.invalidConfiguration, "loss.matryoshka [\(list)] names a width twice; name each once")
        }
    }

    /// Sets what the recipe fixes, and stops the training of a scale or bias that the loss has no use for.
    func prepare(_ model: any ImageTextEncoder) {
        withoutGradient {
            if let temperature = firstTemperature { model.logitScale.fill(-log(temperature)) }
            if let bias = initialBias { model.logitBias?.fill(bias) }
        }
        model.store.freeze { parameter in
            switch parameter.name {
            case "logit_scale": kind == .triplet || temperature != nil
            case "logit_bias": kind != .siglip
            default: false
            }
        }
    }

    /// Notes for the user about the format of the saved model.
    func notes(_ architecture: ModelFolder.Architecture) -> [String] {
        guard kind == .siglip, case .dualEncoder(let configuration) = architecture,
            (try? configuration.huggingFaceJSON()) == nil
        else { return [] }
        return [
            "transformers has no class for towers like these with a logit bias, so config.json will be Concord's own; "
                + "`concord convert --to open_clip` writes a form that others read"
        ]
    }
}
