// Written by scripts/generate-snippets.py from README.md and the articles in docs: change those, and run it again.
// swift-format-ignore-file
import Concord
import ConcordRuntime

/// Stands for what a snippet takes for granted; nothing here is ever run.
private func given<Value>() -> Value { preconditionFailure("snippets are compiled only") }

// README.md
private func readme() async throws {
    do {
        // snippet 2
        let generator = Generator(seed: 1)
        let images = Tensor.normal([256, 512], generator: generator), texts = Tensor.normal([256, 512], generator: generator)
        images.requiresGradient = true
        let loss = try InfoNCE(temperature: 0.07)(images.normalized(), texts.normalized())
        loss.backward()
        print(loss.item(), images.gradient?.shape ?? [])
        _ = generator
        _ = images
        _ = loss
    }
}

// docs/README.md
private func docsReadme() async throws {
    do {
        // snippet 1
        let run = try TrainingRun(
            recipe: Recipe(path: "recipes/emoji-clip.yaml"), folder: RunFolder("runs/emoji"))
        _ = try run.train()

        let model = try EmbeddingModel.load("runs/emoji")
        let dataset = try CaptionDataset(contentsOf: "data/emoji")
        let gallery = try ImageGallery(model: model, dataset: dataset)
        let search = ImageSearch(model: model, dataset: dataset, gallery: gallery)
        for result in try search.find(.text("red apple"), top: 5) {
            print(result.line)
        }
        _ = run
        _ = model
        _ = dataset
        _ = gallery
        _ = search
    }
}

// docs/captioning.md
private func docsCaptioning() async throws {
    do {
        // snippet 1
        let captioner = try Captioner(EmbeddingModel.load("runs/emoji-coca"))
        let captions = try captioner.captions(
            of: [Image(contentsOf: "a.png")], options: GenerationOptions(strategy: .beam(width: 6)))
        print(captions[0][0].text, captions[0][0].tokens.logProbability)
        _ = captioner
        _ = captions
        do {
            // snippet 2
            let model: CoCa = given()
            let pixels: Tensor = given()
            do {
                let stream = TokenStream { () throws(ConcordError) in
                    try model.makeGenerator(for: pixels, requests: [GenerationRequest()])
                }
                for try await update in stream {
                    print(update.tokens)  // cancelling the task stops the work
                }
                _ = stream
            }
        }
    }
}

// docs/datasets.md
private func docsDatasets() async throws {
    do {
        // snippet 1
        let dataset = try CaptionDataset(contentsOf: "photos")
        print(dataset.items.count, "images;", dataset.skipped.count, "rows or captions skipped")
        let training = dataset.filtered(split: "train", language: "en")
        _ = dataset
        _ = training
    }
}

// docs/distributed-training.md
private func docsDistributedTraining() async throws {
    do {
        // snippet 1
        let model: DualEncoder = given()
        let loss: (ProcessGroup) throws -> Tensor = given()
        do {
            if let group = try ProcessGroup.fromEnvironment() {
                let reducer = try GradientReducer(model.store.trainable.map(\.tensor), group: group)
                try reducer.backward(loss(group))
            }
        }
    }
}

// docs/embedding-and-search.md
private func docsEmbeddingAndSearch() async throws {
    do {
        // snippet 1
        let model = try EmbeddingModel.load("runs/emoji")
        let (texts, truncated) = try model.embed(texts: ["red apple", "a dog"])
        let images = try model.embed(images: [Image(contentsOf: "apple.png")])
        let cosines = texts.matmul(images.transposed(0, 1))  // [2, 1]
        print(cosines.scalars(as: Float.self), truncated)
        _ = model
        _ = texts
        _ = truncated
        _ = images
        _ = cosines
        do {
            // snippet 2
            let clap = try EmbeddingModel.load("models/clap-htsat-unfused")
            let sounds = try clap.embed(sounds: [AudioDecoder.read("dog.wav")])
            let logits = try clap.logits(sounds: sounds, texts: clap.embed(texts: ["a dog barks", "rain"]).vectors)  // [1, 2]
            _ = clap
            _ = sounds
            _ = logits
        }
    }
}

// docs/emoji-dataset.md
private func docsEmojiDataset() async throws {
    do {
        // snippet 1
        let summary = try EmojiDatasetBuilder(languages: ["en", "de"], size: 128).build(to: "data/emoji")
        print(summary.pictures, summary.heldOut)
        _ = summary
        do {
            // snippet 2
            let summary = try SpokenEmojiBuilder(voiceCount: 12).build(to: "data/spoken")
            print(summary.clips, "clips,", summary.minutes, "minutes")
            _ = summary
        }
    }
}

// docs/from-tutorials.md
private func docsFromTutorials() async throws {
    do {
        // snippet 1
        let embeddings: Tensor = given()
        let labels: Tensor = given()
        do {
            let loss = try tripletLoss(embeddings: embeddings, labels: labels, margin: 0.2, distance: .cosine, mining: .semiHard)
            loss.backward()
            _ = loss
            do {
                // snippet 2
                let anchor: Tensor = given()
                let positive: Tensor = given()
                let negatives: Tensor = given()
                let images: Tensor = given()
                let texts: Tensor = given()
                do {
                    let perAnchor = try infoNCELoss(anchor: anchor, positive: positive, negatives: negatives, temperature: 0.07)
                    let clip = try InfoNCE(temperature: 0.07)(images, texts)  // unit vectors; both directions
                    _ = perAnchor
                    _ = clip
                    do {
                        // snippet 3
                        let model: DualEncoder = given()
                        let captionNumbers: Tensor = given()
                        do {
                            var loss = InfoNCE(logitScale: model.logitScale)
                            loss.duplicates = .ignored
                            let value = try loss(images, texts, labels: captionNumbers)
                            _ = loss
                            _ = value
                            do {
                                // snippet 4
                                let pixels: Tensor = given()
                                let ids: Tensor = given()
                                let store: ParameterStore = given()
                                do {
                                    let plan = ExecutionPlan.cached(chunk: 32)
                                    let imageVectors = plan.embed([pixels], generators: [store.generator]) { model.embedImages($0[0]) }
                                    let textVectors = plan.embed([ids], generators: [store.generator]) { model.embedTexts($0[0]) }
                                    try InfoNCE(logitScale: model.logitScale)(imageVectors, textVectors, plan: plan.scores).backward()
                                    _ = plan
                                    _ = imageVectors
                                    _ = textVectors
                                    do {
                                        // snippet 5
                                        let captioner = try Captioner(EmbeddingModel.load("runs/emoji-coca"))
                                        let captions = try captioner.captions(of: [Image(contentsOf: "a.png")], options: GenerationOptions(strategy: .greedy))
                                        print(captions[0][0].text)
                                        _ = captioner
                                        _ = captions
                                        do {
                                            // snippet 6
                                            let dataset = try CaptionDataset(contentsOf: "photos")
                                            let tokenizer = try CLIPTokenizer(folder: "runs/emoji", mode: .huggingface)
                                            let builder = try ContrastiveCollator(dataset: dataset, preprocessing: .clip(size: 224), seed: 1) { texts in
                                                texts.map { tokenizer.encode($0, contextLength: 77).ids }
                                            }
                                            let sampler = DistributedSampler(count: dataset.items.count, batchSize: 32, seed: 1)
                                            let loader = builder.loader(sampler: sampler, batches: 100..<200, threads: 4)  // resumed at batch 100
                                            while let batch = try loader.next() { print(batch.count, batch.captions[0]) }
                                            _ = dataset
                                            _ = tokenizer
                                            _ = builder
                                            _ = sampler
                                            _ = loader
                                            do {
                                                // snippet 7
                                                let loss: InfoNCE = given()
                                                do {
                                                    if let group = try ProcessGroup.fromEnvironment() {  // MASTER_ADDR, MASTER_PORT, RANK, WORLD_SIZE
                                                        let reducer = try GradientReducer(store.trainable.map(\.tensor), group: group)
                                                        try reducer.backward(loss(imageVectors, textVectors, plan: .gathered(group)))
                                                    }
                                                    do {
                                                        // snippet 8
                                                        let output = autocast(.bfloat16, on: .cpu) { model.embedImages(pixels) }
                                                        let precise = try InfoNCE(logitScale: model.logitScale)(output, textVectors)  // leaves autocast by itself
                                                        _ = output
                                                        _ = precise
                                                        do {
                                                            // snippet 9
                                                            let exported = try ExportedModel(folder: "artifacts/photos-int8")
                                                            let query = try exported.embed(texts: [exported.prepare(text: "a dog by the sea")])[0]
                                                            let image = try exported.embed(images: [exported.prepare(imageAt: "dog.jpg")])[0]
                                                            print(zip(query, image).map { $0 * $1 }.reduce(0, +))
                                                            _ = exported
                                                            _ = query
                                                            _ = image
                                                        }
                                                    }
                                                }
                                            }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

// docs/images.md
private func docsImages() async throws {
    do {
        // snippet 1
        let image = try Image(contentsOf: "beach/dog.jpg")  // upright, 8-bit RGB
        let preprocessing = ImagePreprocessing.clip(size: 224)
        let pixels = preprocessing(image)  // [3, 224, 224], normalized
        _ = image
        _ = preprocessing
        _ = pixels
        do {
            // snippet 2
            let limits = ImageLimits(maximumPixels: 200_000_000, maximumBytes: 256 << 20, formats: [.jpeg, .tiff])
            let poster = try Image(contentsOf: "poster.tif", limits: limits)
            _ = limits
            _ = poster
            do {
                // snippet 3
                let path = "runs/emoji/preprocessor_config.json"
                let config = try JSONValue(parsing: Files.read(path), source: path)
                let preprocessing = try ImagePreprocessing(preprocessorConfig: config)
                _ = path
                _ = config
                _ = preprocessing
                do {
                    // snippet 4
                    var augmentation = TrainingAugmentation()
                    augmentation.flipProbability = 0.5
                    var random = RandomSource(seed: 1, stream: 0)
                    let view = augmentation(image, size: 224, random: &random)
                    try view.write(to: "view.png", as: .png)
                    _ = augmentation
                    _ = random
                    _ = view
                }
            }
        }
    }
}

// docs/layers-and-checkpoints.md
private func docsLayersAndCheckpoints() async throws {
    do {
        // snippet 1
        struct Head {
            let norm: LayerNorm
            let projection: Linear

            init(_ scope: ParameterScope, width: Int, classes: Int) {
                norm = LayerNorm(scope / "norm", width)
                projection = Linear(scope / "projection", width, classes)
            }

            func callAsFunction(_ x: Tensor) -> Tensor { projection(norm(x)) }
        }

        let store = ParameterStore(seed: 1)
        let head = Head(ParameterScope(store) / "head", width: 64, classes: 10)
        print(store.parameters.map(\.name))
        // head.norm.weight, head.norm.bias, head.projection.weight, head.projection.bias
        _ = store
        _ = head
        do {
            // snippet 2
            let checkpoint = try CheckpointReader(path: "head.safetensors")
            let loaded = ParameterStore(sources: [ParameterSource(checkpoint, layout: .huggingFace)])
            let sameHead = Head(ParameterScope(loaded) / "head", width: 64, classes: 10)
            try loaded.finishLoading()
            _ = checkpoint
            _ = loaded
            _ = sameHead
            do {
                // snippet 3
                let reader = try CheckpointReader(path: "runs/emoji")
                let report = KeyReport(
                    expected: [.init("logit_scale", [])], found: reader.tensors.map { .init($0.name, $0.entry.shape) })
                print(report.isExact, report.missing, report.unexpected.count)
                _ = reader
                _ = report
                do {
                    // snippet 4
                    try store.save(to: "head.safetensors")
                    try TensorFile.write([("mean", Tensor([0.5, 0.5] as [Float]))], to: "mean.safetensors")
                    let tensors = try TensorFile.read("mean.safetensors")
                    _ = tensors
                    do {
                        // snippet 5
                        let model = try DualEncoder.load("runs/emoji")
                        try model.store.freeze(matching: ["vision_model.*", "logit_scale"])
                        print(model.store.trainable.count, "of", model.store.parameters.count)
                        _ = model
                        do {
                            // snippet 6
                            let pixels: Tensor = given()
                            let ids: Tensor = given()
                            do {
                                let trainer = Trainer(
                                    model: model,
                                    options: .init(
                                        schedule: LearningRateSchedule(.cosine, peak: 1e-5, warmupSteps: 100, totalSteps: 1000),
                                        optimizer: AdamW.Options(weightDecay: 0.1), averageDecay: 0.999, seed: 1))
                                let batch = try Batch([.image: ModalityBatch(pixels), .text: ModalityBatch(ids)])
                                let step = try trainer.step(0, batch)
                                print(step.loss, step["accuracy"] ?? 0)
                                _ = trainer
                                _ = batch
                                _ = step
                                do {
                                    // snippet 7
                                    let average = ExponentialMovingAverage(store.parameters, decay: 0.999)
                                    average.update(step: 0)
                                    try average.withAverages { try store.save(to: "average.safetensors") }
                                    _ = average
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

// docs/losses.md
private func docsLosses() async throws {
    do {
        // snippet 1
        let model: DualEncoder = given()
        let images: Tensor = given()
        let texts: Tensor = given()
        let captionNumbers: Tensor = given()
        do {
            let loss = try InfoNCE(logitScale: model.logitScale)(images, texts)          // CLIP
            let fixed = try InfoNCE(temperature: 0.07)(images, texts)                    // a temperature that does not train
            var careful = InfoNCE(logitScale: model.logitScale)
            careful.duplicates = .ignored                                                // repeated captions are not negatives
            let third = try careful(images, texts, labels: captionNumbers)
            _ = loss
            _ = fixed
            _ = careful
            _ = third
            do {
                // snippet 2
                let pixels: Tensor = given()
                let ids: Tensor = given()
                let store: ParameterStore = given()
                do {
                    let plan = ExecutionPlan.cached(chunk: 64)                       // its scores are tiled
                    let images = plan.embed([pixels], generators: [store.generator]) { model.embedImages($0[0]) }
                    let texts = plan.embed([ids], generators: [store.generator]) { model.embedTexts($0[0]) }
                    try InfoNCE(logitScale: model.logitScale)(images, texts, plan: plan.scores).backward()
                    _ = plan
                    _ = images
                    _ = texts
                    do {
                        // snippet 3
                        let loss: InfoNCE = given()
                        do {
                            if let group = try ProcessGroup.fromEnvironment() {              // MASTER_ADDR, MASTER_PORT, RANK, WORLD_SIZE
                                let reducer = try GradientReducer(store.trainable.map(\.tensor), group: group)      // once
                                try reducer.backward(loss(images, texts, plan: .gathered(group)))                   // every step
                            }
                        }
                    }
                }
            }
        }
    }
}

// docs/own-models.md
private func docsOwnModels() async throws {
    do {
        // snippet 1
        struct ColorModel: TrainableModel {
            let store = ParameterStore(seed: 1)
            let pictures: Linear
            let names: Embedding
            let logitScale: Tensor

            init() {
                let scope = ParameterScope(store)
                pictures = Linear(scope / "pictures", 3 * 8 * 8, 32)
                names = Embedding(scope / "names", 27, 32, initializer: .normal(standardDeviation: 0.1))
                logitScale = scope.parameter("logit_scale", [], .constant(2.66))
            }

            func encoders(for outputs: Set<ModelOutput>) -> [RowEncoder] {
                [
                    RowEncoder(.image) { pixels, _ in pictures(pixels).normalized() },
                    RowEncoder("color") { numbers, _ in names(numbers).normalized() },
                ]
            }
        }

        struct SpreadObjective: TrainingObjective {
            let outputs: Set<ModelOutput> = [.embedding("color")]

            func terms(_ pass: ForwardPass) throws(ConcordError) -> [LossTerm] {
                let colors = try pass.embeddings(of: "color").values.selected(axis: 1, at: 0)  // [rows, 32]
                return [LossTerm("spread", colors.matmul(colors.transposed(0, 1)).square().mean(), weight: 0.1)]
            }
        }

        let model = ColorModel()
        let trainer = Trainer(
            model: model,
            objectives: [
                ContrastiveObjective(InfoNCE(logitScale: model.logitScale), between: .image, and: "color"), SpreadObjective(),
            ],
            options: .init(
                schedule: LearningRateSchedule(.cosine, peak: 0.02, warmupSteps: 10, totalSteps: 300), seed: 1))
        for step in 0..<300 {
            let numbers = Tensor.randomPermutation(27, generator: model.store.generator)
            let channels = [9.0, 3, 1].map { numbers.floorDivided(by: $0).remainder(dividingBy: 3).to(.float32) / 2 }
            let shades = Tensor.stacked(channels, axis: 1)  // [27, 3]
            let pixels = shades.repeatInterleaved(64, axis: 1) + Tensor.normal([27, 192], generator: model.store.generator)
            let batch = try Batch([.image: ModalityBatch(pixels), "color": ModalityBatch(numbers)])
            let report = try trainer.step(step, batch)
            if step % 50 == 0 { print(step, report.loss, report["accuracy"] ?? 0, report.terms) }
        }
        _ = model
        _ = trainer
        do {
            // snippet 2
            let pixels: Tensor = given()
            let ids: Tensor = given()
            let lengths: Tensor = given()
            do {
                let batch = try Batch([
                    .image: ModalityBatch(pixels, rows: [0, 2, 3]),  // three of the five rows have an image
                    .text: ModalityBatch(ids, lengths: lengths),  // all have a text
                ])
                _ = batch
                do {
                    // snippet 3
                    let pixels: Tensor = given()
                    let ids: Tensor = given()
                    let lengths: Tensor = given()
                    let mels: Tensor = given()
                    let frames: Tensor = given()
                    let targets: Tensor = given()
                    do {
                        let fused = try FusedModel(
                            FusedModelConfiguration(
                                fusion: FusionConfiguration(
                                    modalities: [.image, .text, .audio], at: 2, exchange: .bottleneck(tokens: 4), combine: .gated,
                                    dropout: [.audio: 0.3]),
                                inputs: [
                                    .image: .image(size: 64, patchSize: 8), .text: .text(vocabularySize: 5000, contextLength: 32),
                                    .audio: .speech(),
                                ], layers: 4),
                            store: ParameterStore(seed: 1))
                        let loss = InfoNCE(logitScale: fused.logitScale)
                        let pairs = try ContrastiveObjective.pairs([.init(.image, .text): 1, .init(.text, .audio): 0.5], loss: loss)
                        let trainer = Trainer(
                            model: fused, objectives: pairs + [ContrastiveObjective.composedRetrieval(loss)],
                            options: .init(
                                schedule: LearningRateSchedule(.cosine, peak: 1e-3, warmupSteps: 10, totalSteps: 300), seed: 1))
                        let batch = try Batch([
                            .image: ModalityBatch(pixels), .text: ModalityBatch(ids, lengths: lengths),
                            .audio: ModalityBatch(mels, lengths: frames, rows: [0, 2]),  // two of the rows have a sound
                            .target(.image): ModalityBatch(targets),  // what the whole row should find
                        ])
                        print(try trainer.step(0, batch).terms)
                        let output = try fused(batch.keeping([.image, .text]))
                        print(output.vectors.shape, output.shares?.shape ?? [])  // how much each modality counts
                        _ = fused
                        _ = loss
                        _ = pairs
                        _ = trainer
                        _ = batch
                        _ = output
                    }
                }
            }
        }
    }
}

// docs/precision.md
private func docsPrecision() async throws {
    do {
        // snippet 1
        let model: DualEncoder = given()
        let pixels: Tensor = given()
        let ids: Tensor = given()
        let store: ParameterStore = given()
        let optimizer: AdamW = given()
        let device: Device = given()
        do {
            let scaler = GradientScaler()

            let (images, texts) = Precision.float16.autocast(on: device) {
                (model.embedImages(pixels), model.embedTexts(ids))
            }
            let loss = try InfoNCE(logitScale: model.logitScale)(images, texts)  // leaves autocast by itself
            store.clearGradients()
            loss.backward(gradient: Tensor(scaler.scale, device: device))
            if try scaler.unscale(store.trainable) {
                _ = GradientClipping.clip(store.trainable, maximum: 1)
                optimizer.step(learningRate: 1e-4)
            }
            _ = scaler
            _ = images
            _ = texts
            _ = loss
        }
    }
}

// docs/pretrained-models.md
private func docsPretrainedModels() async throws {
    do {
        // snippet 1
        let model = try EmbeddingModel.load(ModelLocation.folder("openai/clip-vit-base-patch32"))
        let (texts, _) = try model.embed(texts: ["a cute cat", "a dog"])
        let images = try model.embed(images: [Image(contentsOf: "cat.jpg")])
        _ = model
        _ = texts
        _ = images
    }
}

// docs/retrieval-metrics.md
private func docsRetrievalMetrics() async throws {
    do {
        // snippet 1
        let model = try EmbeddingModel.load("runs/emoji")
        let dataset = try CaptionDataset(contentsOf: "data/emoji")
        let evaluation = RetrievalEvaluation(
            model: model, dataset: dataset, gallery: try ImageGallery(model: model, dataset: dataset))
        let result = try evaluation.measure(split: "held-out", language: "en", kind: nil)
        print(result.table)
        _ = model
        _ = dataset
        _ = evaluation
        _ = result
        do {
            // snippet 2
            let evaluation = try ModalityEvaluation(
                model: model, dataset: dataset, modalities: [.image, .text, .audio], language: "en")
            print(evaluation.table)
            _ = evaluation
        }
    }
}

// docs/serving.md
private func docsServing() async throws {
    do {
        // snippet 1
        let model = try ExportedModel(folder: "artifacts/coca")
        print(try model.caption(imageAt: "cat.jpg").text)
        let image = try model.prepare(imageAt: "cat.jpg")
        let vector = try model.embed(images: [image])[0]
        _ = model
        _ = image
        _ = vector
    }
}

// docs/sounds.md
private func docsSounds() async throws {
    do {
        // snippet 1
        let clip = try AudioDecoder.read("beach/waves.ogg")  // mono, -1…1, at the file's own rate
        let preprocessing = AudioPreprocessing.clap()
        let features = try preprocessing(clip)  // [1, 1001, 64], in decibels
        _ = clip
        _ = preprocessing
        _ = features
        do {
            // snippet 2
            let limits = AudioLimits(maximumSeconds: 30, maximumBytes: 4 << 20)
            let voice = try AudioDecoder.read("voice.opus", limits: limits)
            _ = limits
            _ = voice
            do {
                // snippet 3
                let extractor = try AudioPreprocessing.whisper().extractor()
                let heard = try extractor(voice, sampleID: 7)
                _ = extractor
                _ = heard
                do {
                    // snippet 4
                    let front = try AudioPreprocessing(folder: "models/clap")
                    try Files.replace("models/copy/preprocessor_config.json", with: front.preprocessorConfig().text(pretty: true))
                    _ = front
                    do {
                        // snippet 5
                        let augmentation = AudioAugmentation.speech
                        let other = augmentation(clip, seed: 1, epoch: 3, sampleID: 42)
                        let masked = augmentation(features, seed: 1, epoch: 3, sampleID: 42)
                        _ = augmentation
                        _ = other
                        _ = masked
                    }
                }
            }
        }
    }
}

// docs/tensors.md
private func docsTensors() async throws {
    do {
        // snippet 1
        let x = Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3])
        let weight = Tensor.normal([3, 3], generator: Generator(seed: 1))
        let y = x.matmul(weight).relu().mean(axes: [1])  // [2]
        print(y.shape, y.dtype, y.device, y.scalars(as: Float.self))
        _ = x
        _ = weight
        _ = y
        do {
            // snippet 2
            let device = TorchRuntime.hasCUDA ? Device.cuda(0) : .cpu
            let half = Tensor.ones([4, 4], dtype: .bfloat16, device: device)
            print((half * 2).to(.float32).sum().item())
            _ = device
            _ = half
            do {
                // snippet 3
                let queries: Tensor = given()
                let gallery: Tensor = given()
                do {
                    do {
                        let scores = try withTensorErrors { queries.matmul(gallery) }
                        print(scores.shape)
                    } catch let error as ConcordError {
                        print(error.message)
                    }
                    do {
                        // snippet 4
                        let w = Tensor.zeros([3, 1])
                        w.requiresGradient = true
                        let loss = (x.matmul(w) - 1).square().mean()
                        loss.backward()
                        if let gradient = w.gradient {
                            withoutGradient { w.formAdd(gradient, scale: -0.1) }
                        }
                        w.clearGradient()
                        _ = w
                        _ = loss
                        do {
                            // snippet 5
                            let model: DualEncoder = given()
                            let pixels: Tensor = given()
                            do {
                                let output = autocast(.bfloat16, on: device.kind) { model.embedImages(pixels) }
                                _ = output
                                do {
                                    // snippet 6
                                    let tokens: Tensor = given()
                                    let block: TransformerBlock = given()
                                    do {
                                        let hidden = checkpointed([tokens]) { block($0[0]) }
                                        _ = hidden
                                        do {
                                            // snippet 7
                                            final class Names: OpRecorder {
                                                var names: [String] = []
                                                func record(_ call: OpCall) { names.append(call.name) }
                                            }

                                            let recorder = Names()
                                            withRecorder(recorder) { _ = x.softmax(axis: -1) }
                                            print(recorder.names)  // ["aten::softmax.int"]
                                            _ = recorder
                                            do {
                                                // snippet 8
                                                let largest = Tensor.callOperator("aten::cummax", [.tensor(x), .int(1)])
                                                print(largest[0], largest[1])
                                                _ = largest
                                            }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

// docs/tokenizers.md
private func docsTokenizers() async throws {
    do {
        // snippet 1
        let tokenizer = try CLIPTokenizer(folder: "runs/emoji", mode: .huggingface)
        let ids = tokenizer.encode("a red apple")  // start, tokens, end
        print(ids.map { tokenizer.token(for: $0) ?? "?" }, tokenizer.decode(ids))

        let batch = tokenizer.batch(["a red apple", "a dog"], contextLength: 77)
        print(batch.width, batch.lengths, batch.truncatedCount)
        _ = tokenizer
        _ = ids
        _ = batch
        do {
            // snippet 2
            let captions = try CaptionDataset(contentsOf: "data/emoji").items.flatMap { $0.captions.map(\.text) }
            let tokenizer = try BytePairTrainer.train(captions: captions, vocabularySize: 4096)
            try tokenizer.write(to: "my-tokenizer", contextLength: 77)
            _ = captions
            _ = tokenizer
        }
    }
}

// docs/training.md
private func docsTraining() async throws {
    do {
        // snippet 1
        let recipe = try Recipe(path: "recipes/emoji-clip.yaml", assignments: ["train.epochs=5"])
        let run = try TrainingRun(recipe: recipe, folder: RunFolder("runs/short"))
        switch try run.train() {
        case .finished: print("done")
        case .interrupted(let step): print("stopped after step \(step)")
        }
        _ = recipe
        _ = run
    }
}
