import Concord
import Testing

/// An architecture of someone else's: the mean color of an image against the mean of its caption's tokens.
private struct BagOfWords: ImageTextEncoder {
    let store: ParameterStore
    let embeddingWidth = 16
    let textConfiguration: TextTowerConfiguration
    let visionConfiguration = VisionTransformerConfiguration(imageSize: 8, patchSize: 8)
    var patchDropout = 0.0
    let logitScale: Tensor
    let logitBias: Tensor? = nil
    private let colors: Linear
    private let words: Embedding

    init(vocabularySize: Int, store: ParameterStore) {
        self.store = store
        textConfiguration = .transformer(.init(vocabularySize: vocabularySize, contextLength: 12))
        let scope = ParameterScope(store)
        logitScale = scope.parameter("logit_scale", [], .constant(2.66))
        colors = Linear(scope / "colors", 3, embeddingWidth)
        words = Embedding(scope / "words", vocabularySize, embeddingWidth, initializer: .normal(standardDeviation: 0.1))
    }

    func embedImages(_ pixels: Tensor) -> Tensor {
        colors(pixels.mean(axes: [2, 3])).normalized()  // [B, 3, size, size] → [B, 3] → [B, 16]
    }

    func embedTexts(_ ids: Tensor, lengths: Tensor?) -> Tensor { words(ids).mean(axes: [1]).normalized() }
}

@Suite struct OwnArchitectureTests {
    private static let captions = ["red", "green", "blue", "yellow", "violet", "black", "white", "turquoise"]
    private static let images = [
        [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [160, 0, 255], [0, 0, 0], [255, 255, 255], [0, 200, 200],
    ].map { color in Image(width: 8, height: 8, pixels: (0..<64).flatMap { _ in color.map(UInt8.init) }) }

    @Test func anArchitectureFromOutsideTrainsAndRetrieves() throws {
        let tokenizer = try BytePairTrainer.train(captions: Self.captions, vocabularySize: 520)
        let encoder = BagOfWords(vocabularySize: tokenizer.vocabularySize, store: ParameterStore(seed: 3))
        let model = EmbeddingModel(encoder: encoder, tokenizer: tokenizer, preprocessing: .clip(size: 8))
        func recall() throws -> Double {
            let ranks = RetrievalRanks.compute(
                queries: try model.embed(texts: Self.captions).vectors, gallery: try model.embed(images: Self.images),
                positives: Self.captions.indices.map { [$0] })
            return RetrievalMetrics(ranks: ranks).recallAt1
        }
        #expect(try recall() < 0.5)

        let preprocessing = ImagePreprocessing.clip(size: 8)
        let pixels = Tensor(Self.images.flatMap { preprocessing($0) }, shape: [Self.images.count, 3, 8, 8])
        let tokens = tokenizer.batch(Self.captions, contextLength: 12)
        let ids = Tensor(tokens.ids, shape: [Self.captions.count, tokens.width])
        let batch = try Batch([.image: ModalityBatch(pixels), .text: ModalityBatch(ids)])
        let trainer = Trainer(
            model: encoder,
            options: .init(
                schedule: LearningRateSchedule(.constant, peak: 0.03, warmupSteps: 0, totalSteps: 100),
                optimizer: .init(weightDecay: 0), seed: 3))
        for step in 0..<100 { _ = try trainer.step(step, batch) }
        #expect(try recall() == 1)

        let error = #expect(throws: ConcordError.self) { try model.save(to: "/nowhere", training: nil) }
        #expect(error?.message.contains("BagOfWords cannot be saved as a model folder") == true, "\(error as Any)")
    }
}
