import ConcordCore
import ConcordLosses
import ConcordTrain
import Testing

/// What a recipe says about the loss, and combinations of keys that cannot be.
@Suite struct LossRecipeTests {
    private func read(_ yaml: String) throws -> Recipe.LossSection { try Recipe(yaml: yaml, source: "test.yaml").loss }

    private func refusal(_ yaml: String) -> String {
        let error = #expect(throws: ConcordError.self) { try Recipe(yaml: yaml, source: "test.yaml") }
        #expect(error?.code == .invalidConfiguration)
        return error?.message ?? ""
    }

    @Test func defaultsAreCLIPs() throws {
        let loss = try read("")
        #expect(loss.kind == .infonce && loss.plan == .dense && loss.duplicates == .negatives)
        #expect(loss.temperature == nil && loss.initialTemperature == nil && loss.initialBias == nil)
        #expect(loss.labelSmoothing == 0 && loss.hardness == 0 && !loss.isDecoupled && loss.matryoshka.isEmpty)
        #expect(try read("loss: {temperature: learned}").temperature == nil)
    }

    @Test func keysAreRead() throws {
        let infonce = try read(
            "loss: {temperature: 0.05, plan: cached, chunk: 32, tile_rows: 16, label_smoothing: 0.1, hardness: 2, "
                + "decoupled: true, duplicates: positives, matryoshka: [64, 16]}")
        #expect(infonce.temperature == 0.05 && infonce.plan == .cached)
        #expect(infonce.chunk == 32 && infonce.tileRows == 16)
        #expect(infonce.labelSmoothing == 0.1 && infonce.hardness == 2 && infonce.isDecoupled)
        #expect(infonce.duplicates == .positives && infonce.matryoshka == [64, 16])
        let siglip = try read("loss: {kind: siglip, initial_temperature: 0.2, initial_bias: -5, duplicates: ignored}")
        #expect(siglip.kind == .siglip && siglip.initialTemperature == 0.2 && siglip.initialBias == -5)
        #expect(siglip.duplicates == .ignored)
        let triplet = try read(
            "loss: {kind: triplet, margin: 0.3, mining: semi-hard, penalty: softplus, distance: squared-euclidean, "
                + "plan: tiled}")
        #expect(triplet.kind == .triplet && triplet.margin == 0.3 && triplet.mining == .semiHard)
        #expect(triplet.penalty == .softplus && triplet.distance == .squaredEuclidean && triplet.plan == .tiled)
    }

    @Test(arguments: [
        "kind: hinge", "temperature: 0", "temperature: hot", "temperature: -1", "plan: fast", "chunk: 0",
        "tile_rows: 0", "label_smoothing: 1", "hardness: -1", "duplicates: maybe", "margin: -1", "mining: lazy",
        "matryoshka: [0]", "matryoshka: [wide]", "initial_bias: none", "chunks: 3",
    ])
    func impossibleValuesAreRefused(_ line: String) {
        let key = String(line.prefix { $0 != ":" })
        #expect(refusal("loss: {\(line)}").contains("loss.\(key)"))
    }

    @Test(arguments: [
        ("kind: triplet", "temperature: 0.1"), ("kind: triplet", "initial_temperature: 0.1"),
        ("kind: infonce", "initial_bias: -10"), ("kind: triplet", "initial_bias: -10"),
        ("kind: siglip", "label_smoothing: 0.1"), ("kind: triplet", "hardness: 1"), ("kind: siglip", "decoupled: true"),
        ("kind: infonce", "margin: 0.2"), ("kind: siglip", "mining: hard"), ("kind: infonce", "penalty: hinge"),
        ("kind: siglip", "distance: cosine"), ("plan: dense", "tile_rows: 8"), ("plan: tiled", "chunk: 8"),
    ])
    func keysThatSayNothingAreRefused(_ choice: String, _ line: String) {
        let key = String(line.prefix { $0 != ":" })
        let message = refusal("loss: {\(choice), \(line)}")
        #expect(message.contains("loss.\(key)") && message.contains(choice.split(separator: " ")[1]), "\(message)")
    }

    @Test func contradictionsAreNamed() {
        let both = refusal("loss: {temperature: 0.1, initial_temperature: 0.2}")
        #expect(both.contains("loss.initial_temperature") && both.contains("loss.temperature"))
        #expect(refusal("loss: {kind: triplet, mining: easy}").contains("softplus"))
        #expect(refusal("loss: {kind: triplet, mining: semi-hard, margin: 0}").contains("loss.margin"))
    }

    @Test func objectivesAreListed() throws {
        #expect(try read("").objectives.isEmpty)
        #expect(try read("loss: {objectives: [captioning]}").objectives == [.captioning])
        #expect(refusal("loss: {objectives: [contrast]}").contains("contrastive, captioning"))
        #expect(refusal("loss: {objectives: [captioning], contrastive_weight: 2}").contains("loss.contrastive_weight"))
        #expect(refusal("loss: {objectives: [contrastive], caption_weight: 2}").contains("loss.caption_weight"))
        #expect(refusal("loss: {objectives: [captioning], caption_weight: 0}").contains("nothing to learn from"))
        #expect(refusal("loss: {contrastive_weight: 0, caption_weight: 0}").contains("nothing to learn from"))
        #expect(refusal("loss: {plan: cached}\ntrain: {accumulate: 4}").contains("train.accumulate"))
    }

    @Test(arguments: ["emoji-triplet", "emoji-siglip", "emoji-infonce-cached"])
    func theRecipesAreRead(_ name: String) throws {
        let folder = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let recipe = try Recipe(path: "/\(folder)/recipes/\(name).yaml")
        #expect(recipe.train.epochs == 24 && recipe.data.languages == ["en", "zh"])
    }
}
