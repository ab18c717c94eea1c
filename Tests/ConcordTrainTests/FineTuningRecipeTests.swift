import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTrain
import Testing

/// What a recipe says about fine-tuning, and combinations of keys that cannot be.
@Suite struct FineTuningRecipeTests {
    @Test func keysAreRead() throws {
        let recipe = try Recipe(
            yaml: """
                model: {start: runs/clip, image_size: 288}
                train:
                  layer_decay: 0.75
                  lock_text: all
                  lora: {rank: 8, alpha: 4, dropout: 0.1, targets: [q, mlp], towers: [image]}
                """, source: "test.yaml")
        #expect(recipe.model.start == "runs/clip" && recipe.model.imageSize == 288)
        #expect(recipe.train.layerDecay == 0.75)
        #expect(recipe.train.lockText == .all && recipe.train.lockImage == .none)
        let adapters = recipe.train.adapters
        #expect(adapters.rank == 8 && adapters.alpha == 4 && adapters.dropout == 0.1)
        #expect(adapters.targets == [.q, .mlp] && adapters.towers == [.image])
        // An empty value takes a folder out again.
        let other = try Recipe(
            yaml: "model: {text_tower: a}\ntrain: {lock_text: 3}\n", source: "test.yaml",
            assignments: ["model.text_tower=", "train.lock_text=none"])
        #expect(other.model.textTower == nil)
    }

    /// The message of the error that the recipe must give.
    private func refusal(_ yaml: String) -> String {
        let error = #expect(throws: ConcordError.self) { try Recipe(yaml: yaml, source: "test.yaml") }
        #expect(error?.code == .invalidConfiguration)
        return error?.message ?? ""
    }

    @Test(arguments: [
        "model.patch_size", "model.vision.width", "model.text.layers", "model.projection_width",
    ])
    func aSizeBesideAStartingModelIsRefused(_ key: String) {
        let message = refusal("model.start: a\n\(key): 8\n")
        #expect(message.contains(key) && message.contains("model.start"))
    }

    /// Positions of pictures and texts can be resized.
    @Test func picturesAndTextsMayHaveAnotherSize() throws {
        for tower in ["start: a", "text_tower: a, image_tower: b"] {
            _ = try Recipe(
                yaml: "data.folder: d\nmodel: {\(tower), image_size: 32, text: {context_length: 128}}",
                source: "test.yaml")
        }
    }

    @Test func theTowersActivationBesideAStartingModelIsRefused() {
        #expect(refusal("model: {start: a, activation: gelu}").contains("model.activation"))
        #expect(refusal("model: {image_tower: a, text_tower: b, activation: gelu}").contains("model.activation"))
    }

    @Test(arguments: ["text_tower", "image_tower"])
    func aTowerBesideAStartingModelIsRefused(_ key: String) {
        #expect(refusal("model: {start: a, \(key): b}").contains("model.\(key)"))
    }

    @Test func aSizeOfALoadedTowerIsRefused() {
        #expect(refusal("model: {text_tower: a, text: {width: 64}}").contains("model.text.width"))
        #expect(refusal("model: {image_tower: a, patch_size: 16}").contains("model.patch_size"))
    }

    @Test func aNewProjectionBesideAStartingModelIsRefused() {
        #expect(refusal("model: {start: a, text_projection: linear}").contains("model.text_projection"))
    }

    @Test func aPerceptronBehindANewTextTowerIsRefused() {
        #expect(refusal("model: {text_projection: perceptron}").contains("perceptron"))
    }

    @Test func noProjectionBetweenDifferentWidthsIsRefused() {
        let sizes = "text: {width: 64, heads: 2}, projection_width: 32"
        #expect(refusal("model: {text_projection: none, \(sizes)}").contains("without a projection"))
    }

    @Test(arguments: ["start", "text_tower"])
    func aTokenizerBesideALoadedTextTowerIsRefused(_ key: String) {
        let message = refusal("model: {\(key): a}\ntokenizer: {vocabulary_size: 1000}")
        #expect(message.contains("tokenizer.vocabulary_size"))
    }

    @Test(arguments: ["image", "text"])
    func lockingANewTowerIsRefused(_ tower: String) {
        let message = refusal("train: {lock_\(tower): all}")
        #expect(message.contains("train.lock_\(tower)") && message.contains("model.\(tower)_tower"))
    }

    @Test func adaptingANewTowerIsRefused() {
        let message = refusal("model: {text_tower: a}\ntrain: {lora: {rank: 4}}")
        #expect(message.contains("train.lora") && message.contains("model.image_tower"))
    }

    @Test func lockingAndAdaptingOneTowerIsRefused() {
        let message = refusal("model: {start: a}\ntrain: {lock_text: 2, lora: {rank: 4}}")
        #expect(message.contains("train.lock_text") && message.contains("train.lora.towers"))
    }

    @Test(arguments: ["alpha: 8", "dropout: 0.1", "targets: [q]", "towers: [image]"])
    func aSettingOfAdaptersWithoutARankIsRefused(_ setting: String) {
        #expect(refusal("model: {start: a}\ntrain: {lora: {\(setting)}}").contains("train.lora.rank"))
    }

    @Test(arguments: ["targets", "towers"])
    func adaptersForNothingAreRefused(_ key: String) {
        #expect(refusal("model: {start: a}\ntrain: {lora: {rank: 4, \(key): []}}").contains("train.lora.\(key)"))
    }

    @Test(arguments: [
        "train: {lock_text: some}", "train: {lock_text: -1}", "train: {layer_decay: 0}", "train: {layer_decay: 1.5}",
        "train: {lora: {rank: 4, targets: [qkv]}}", "train: {lora: {rank: 4, towers: [audio]}}",
        "model: {text_projection: mlp}",
    ])
    func impossibleValuesAreRefused(_ yaml: String) {
        #expect(!refusal(yaml).isEmpty)
    }
}
