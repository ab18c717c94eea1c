import ConcordCore
import ConcordTensor
import ConcordTrain
import Testing

@Suite struct RecipeTests {
    private func error(_ yaml: String, _ assignments: [String] = []) -> ConcordError? {
        #expect(throws: ConcordError.self) { try Recipe(yaml: yaml, source: "test.yaml", assignments: assignments) }
    }

    @Test func readsValuesDefaultsAndAssignments() throws {
        let recipe = try Recipe(
            yaml: "seed: 7\ntrain:\n  epochs: 3\n  learning_rate: 1e-3\ndata:\n  languages: [en, zh]\n"
                + "  caption_weights: {name: 2, keyword: 0.5}\n",
            source: "test.yaml", assignments: ["train.epochs=5", "data.languages=[de]"])
        #expect(recipe.seed == 7)
        #expect(recipe.train.epochs == 5)
        #expect(recipe.train.learningRate == 1e-3)
        #expect(recipe.train.batchSize == nil && recipe.train.checkpointMinutes == 10)
        #expect(recipe.data.languages == ["de"])
        #expect(recipe.data.captionWeights == ["name": 2, "keyword": 0.5])
    }

    @Test func withoutAWordProcessorsTrainInFloat32AndGPUsInBFloat16() throws {
        let precision = try Recipe(yaml: "", source: "test.yaml").train.precision
        #expect(precision.dtype(on: .cpu) == .float32 && precision.dtype(on: .cuda(0)) == .bfloat16)
        for (name, dtype) in [("float32", DType.float32), ("bfloat16", .bfloat16), ("float16", .float16)] {
            let asked = try Recipe(yaml: "", source: "test.yaml", assignments: ["train.precision=\(name)"])
            #expect(asked.train.precision.dtype(on: .cpu) == dtype)
            #expect(asked.train.precision.dtype(on: .cuda(0)) == dtype)
        }
    }

    @Test func aTypoIsRefusedWithTheNearestKey() {
        let message = error("train:\n  learning_rat: 1\n")?.message ?? ""
        #expect(message.contains("\"train.learning_rat\"") && message.contains("\"train.learning_rate\""))
        #expect(error("", ["train.epoch=2"])?.message.contains("train.epochs") == true)
    }

    @Test(arguments: [
        ("train.lr", "train.learning_rate"), ("lr", "train.learning_rate"), ("learning_rate", "train.learning_rate"),
        ("train.wd", "train.weight_decay"), ("train.bs", "train.batch_size"), ("model.batch_size", "train.batch_size"),
        ("train.warmup", "train.warmup_steps"), ("train.num_train_epochs", "train.epochs"),
        ("data.num_workers", "data.workers"), ("train.workers", "data.workers"), ("train.fp16", "train.precision"),
        ("data.sep", "data.separator"), ("train.gradient-clip", "train.gradient_clip"), ("data.foldr", "data.folder"),
        ("model.vocab_size", "tokenizer.vocabulary_size"), ("train.lora.rnk", "train.lora.rank"),
    ]) func theKeyThatIsMeantIsSuggested(_ key: String, _ meant: String) {
        let message = error("", ["\(key)=1"])?.message ?? ""
        #expect(message.contains("did you mean \"\(meant)\"?"), "\(message)")
    }

    @Test func everyKeyThatIsSuggestedForAnotherNameIsOne() throws {
        let known = Set(try Recipe.documentedKeys().map(\.path))
        for (name, key) in Recipe.suggestedKeys { #expect(known.contains(key), "\(name): \(key)") }
        #expect(error("", ["zebra=1"])?.message.contains("did you mean") == false)
    }

    @Test func whereToReadPicturesIsSaidInTheRecipe() throws {
        let recipe = try Recipe(
            yaml: "data: {separator: tab, allow_outside_images: true}\n", source: "test.yaml")
        #expect(recipe.data.separator == 9 && recipe.data.allowsOutsideImages)
        #expect(error("data: {separator: xx}\n")?.message.contains("data.separator is \"xx\"; it must be") == true)
        #expect(try Recipe(yaml: recipe.text, source: "text").data.separator == 9)
        #expect(try Recipe(yaml: "\u{FEFF}data: {separator: ';'}\n", source: "mark").data.separator == 0x3B)
    }

    @Test(arguments: [
        "train:\n  epochs: many\n", "train:\n  epochs: 0\n", "train:\n  epochs: [1, 2]\n", "train: 5\n", "just text\n",
        "train:\n  precision: float8\n", "data:\n  augmentation:\n    scale: [1, 0.5]\n",
        "data:\n  caption_weights: {name: -1}\n", "a: [b\n", "model:\n  vision: {width: 100, heads: 3}\n",
        "model: {image_size: 65, patch_size: 8}\n", "data: &x {folder: a}\nmodel: *x\n",
    ])
    func impossibleValuesAreRefused(_ yaml: String) {
        #expect(error(yaml)?.code == .invalidConfiguration)
    }

    @Test func everyKeyIsDocumentedOnce() throws {
        let keys = try Recipe.documentedKeys()
        #expect(Set(keys.map(\.path)).count == keys.count)
        #expect(keys.count > 50)
        #expect(keys.allSatisfy { $0.summary.hasSuffix(".") && $0.summary.count > 10 })
    }
}
