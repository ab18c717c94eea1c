import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor
import ConcordTestSupport
import Testing

/// What a run takes from the model that it starts from.
@Suite struct FineTuningTests {
    @Test func aRunStartsFromEveryPartOfAModel() throws {
        let base = try FineTuning.base.get()
        try withTemporaryFolder { folder in
            let result = try FineTuning.train("model.start: \(base.model)\ntrain: {learning_rate: 0}", in: folder)
            #expect(result.status == 0, "\(result.errors)")
            for name in ["model.safetensors", "config.json", "tokenizer.json", "preprocessor_config.json"] {
                let files = try [base.model, folder + "/run"].map { try Files.read($0 + "/" + name) }
                #expect(files[0] == files[1], "\(name)")
            }
        }
        let (changed, all, errors) = try FineTuning.changes("")
        #expect(changed == all)
        #expect(errors.contains("trainable: ") && errors.contains(base.model), "\(errors)")
    }

    @Test func anotherPictureSizeResizesThePositions() throws {
        let base = try FineTuning.base.get()
        try withTemporaryFolder { folder in
            let result = try FineTuning.train("model.start: \(base.model)\nmodel.image_size: 24", in: folder)
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.errors.contains("position_embedding.weight is resized"), "\(result.errors)")
            let configuration = try DualEncoderConfiguration(folder: folder + "/run")
            #expect(configuration.vision.imageSize == 24)
            let evaluated = try Program.run(
                ["evaluate", "--model", folder + "/run", "--data", base.folder.path], in: folder)
            #expect(evaluated.status == 0, "\(evaluated.errors)")
        }
    }

    /// Positions of the text tower are stretched as those of pictures are, and the model then reads so much.
    @Test(arguments: [40, 8]) func anotherContextResizesThePositions(_ context: Int) throws {
        let base = try FineTuning.base.get()
        try withTemporaryFolder { folder in
            let result = try FineTuning.train(
                "model.start: \(base.model)\nmodel.text.context_length: \(context)\ntrain: {learning_rate: 0}",
                in: folder)
            #expect(result.status == 0, "\(result.errors)")
            let name = "text_model.embeddings.position_embedding.weight"
            #expect(result.errors.contains("\(name) is resized from [16, 16] to [\(context), 16]"), "\(result.errors)")
            let configuration = try DualEncoderConfiguration(folder: folder + "/run")
            #expect(configuration.text.contextLength == context)
            #expect(try ModelManifest(folder: folder + "/run").contextLength == context)
            // Nothing was learned: all else is the base's, and the positions are those between its own.
            let (before, after) = try (FineTuning.weights(base.model), FineTuning.weights(folder + "/run"))
            #expect(before.keys.filter { before[$0] != after[$0] } == [name])
            let old = try #require(before[name])
            let resized = try #require(PositionResizing.line(Tensor(old, shape: [16, 16]), count: context))
            #expect(after[name] == resized.scalars(as: Float.self))
            // A text of fourteen words and the tokens around it.
            let text = Array(repeating: "red", count: 14).joined(separator: " ")
            let tokens = try Program.run(
                ["tokenize", "--model", folder + "/run", "--text", text + " " + text, "--json"], in: folder)
            let ids = try JSONValue(parsing: tokens.output)["ids"]?.elements?.first?.elements
            #expect(ids?.count == min(context, 30), "\(tokens.output)")
        }
    }

    /// A sentence encoder that was cut at fewer tokens than its table has needs no stretching up to there.
    @Test(arguments: [("bert-mean", 12, false), ("bert-mean", 20, true), ("roberta-mean", 20, true)])
    func aSentenceEncoderReadsLongerTexts(_ name: String, _ context: Int, _ isStretched: Bool) throws {
        try withTemporaryFolder { folder in
            let tower = try ModelFolders.copy(name, to: folder + "/tower").folder
            let result = try FineTuning.train(
                """
                model:
                  text_tower: \(tower)
                  image_size: 16
                  patch_size: 4
                  vision: {width: 32, layers: 1, heads: 2}
                  text: {context_length: \(context)}
                train: {lock_text: all, learning_rate: 1e-2}
                """, in: folder)
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.errors.contains("position_embeddings.weight is resized") == isStretched)
            let configuration = try DualEncoderConfiguration(folder: folder + "/run")
            guard case .bert(let text) = configuration.text else { return }
            #expect(text.contextLength == context && text.positions == text.firstPosition + context)
            let key = "embeddings.position_embeddings.weight", width = 16
            let old = try #require(try FineTuning.weights(tower)[key])
            let new = try #require(try FineTuning.weights(folder + "/run")["text_model." + key])
            // The rows in front, which padding has, stay.
            let kept = isStretched ? text.firstPosition * width : old.count
            #expect(new.count == text.positions * width && new.prefix(kept) == old.prefix(kept))
        }
    }

    /// The row of the class token, which is no position of a text, stays.
    @Test func aCoCaReadsLongerTexts() throws {
        try withTemporaryFolder { folder in
            _ = try TinyData.write(to: folder, epochs: 2)
            let coca = [
                "model.kind=coca", "model.pooler.queries=5", "model.pooler.heads=2", "model.decoder.layers=1",
                "model.decoder.heads=2",
            ]
            let made = try Program.run(
                ["train", folder + "/recipe.yaml", "--output", folder + "/base"] + coca.flatMap { ["--set", $0] },
                in: folder)
            try #require(made.status == 0, "\(made.errors)")
            let result = try FineTuning.train(
                "model.start: \(folder)/base\nmodel.text.context_length: 24\ntrain: {learning_rate: 0}", in: folder)
            #expect(result.status == 0, "\(result.errors)")
            let name = "text_model.embeddings.position_embedding.weight"
            let (before, after) = try (FineTuning.weights(folder + "/base"), FineTuning.weights(folder + "/run"))
            #expect(before.keys.filter { before[$0] != after[$0] } == [name])
            let (old, new) = try (#require(before[name]), #require(after[name]))
            #expect(old.count == 17 * 16 && new.count == 25 * 16 && new.suffix(16) == old.suffix(16))
            let captioned = try Program.run(
                ["caption", "--model", folder + "/run", "--image", folder + "/images/red-white.png"], in: folder)
            #expect(captioned.status == 0, "\(captioned.errors)")
        }
    }

    /// Towers that somebody else keeps alone, beside a new one and beside each other.
    @Test func singleTowersAreTaken() throws {
        try withTemporaryFolder { folder in
            let text = try ModelFolders.copy("clip-text-projection", to: folder + "/text").folder
            let image = try ModelFolders.copy("clip-vision-projection", to: folder + "/image").folder
            let result = try FineTuning.train(
                "model: {text_tower: \(text), image_tower: \(image)}\ntrain: {learning_rate: 0}", in: folder)
            #expect(result.status == 0, "\(result.errors)")
            let run = try FineTuning.weights(folder + "/run")
            for (name, values) in try FineTuning.weights(text).merging(
                FineTuning.weights(image), uniquingKeysWith: { first, _ in first })
            {
                #expect(run[name] == values, "\(name)")
            }
            let messages = try [
                FineTuning.refusal("model.start: \(text)"), FineTuning.refusal("model.start: \(image)"),
                FineTuning.refusal("model: {text_tower: \(image), vision: {layers: 1}}"),
                FineTuning.refusal("model: {image_tower: \(text), text: {layers: 1}}"),
            ]
            #expect(messages[0].contains("holds a text encoder alone"), "\(messages[0])")
            #expect(messages[1].contains("name it as model.image_tower"), "\(messages[1])")
            #expect(messages[2].contains("name it as model.image_tower"), "\(messages[2])")
            #expect(messages[3].contains("name it as model.text_tower"), "\(messages[3])")
        }
    }

    @Test func oneTowerIsTakenAndTheOtherIsNew() throws {
        let base = try FineTuning.base.get()
        try withTemporaryFolder { folder in
            let result = try FineTuning.train(
                """
                model:
                  text_tower: \(base.model)
                  image_size: 16
                  patch_size: 4
                  vision: {width: 32, layers: 1, heads: 2}
                train: {lock_text: all, learning_rate: 1e-2}
                """, in: folder)
            #expect(result.status == 0, "\(result.errors)")
            let (before, after) = try (FineTuning.weights(base.model), FineTuning.weights(folder + "/run"))
            #expect(before.keys.filter { $0.hasPrefix("text_") }.allSatisfy { before[$0] == after[$0] })
            let configuration = try DualEncoderConfiguration(folder: folder + "/run")
            // The text projection is the base's, and so is the width it maps to.
            #expect(configuration.projectionWidth == 16 && configuration.vision.width == 32)
            #expect(try Files.read(folder + "/run/tokenizer.json") == Files.read(base.model + "/tokenizer.json"))
        }
    }

    @Test func theImageTowerIsTakenAndTheTextTowerIsNew() throws {
        let base = try FineTuning.base.get()
        try withTemporaryFolder { folder in
            let result = try FineTuning.train(
                """
                model:
                  image_tower: \(base.model)
                  text: {width: 32, layers: 1, heads: 2, context_length: 12}
                  projection_width: 24
                tokenizer: {vocabulary_size: 550}
                train: {lock_image: 2}
                """, in: folder)
            #expect(result.status == 0, "\(result.errors)")
            let (before, after) = try (FineTuning.weights(base.model), FineTuning.weights(folder + "/run"))
            let kept = before.keys.filter { $0.hasPrefix("vision_model.e") || $0.hasPrefix("vision_model.pre") }
            #expect(kept.count == 37 && kept.allSatisfy { before[$0] == after[$0] })
            // The width is another, so the projection is new.
            #expect(after["visual_projection.weight"]?.count == 16 * 24)
        }
    }

    @Test func bothTowersOfOneFolderAreTheModelButForLogitScale() throws {
        let base = try FineTuning.base.get()
        try withTemporaryFolder { folder in
            let result = try FineTuning.train(
                "model: {image_tower: \(base.model), text_tower: \(base.model)}\ntrain: {learning_rate: 0}", in: folder)
            #expect(result.status == 0, "\(result.errors)")
            let (before, after) = try (FineTuning.weights(base.model), FineTuning.weights(folder + "/run"))
            #expect(before.keys.filter { before[$0] != after[$0] } == ["logit_scale"])
        }
    }

    @Test func aNewTextProjectionMapsALoadedTower() throws {
        let base = try FineTuning.base.get()
        try withTemporaryFolder { folder in
            let result = try FineTuning.train(
                """
                model: {image_tower: \(base.model), text_tower: \(base.model), text_projection: linear,
                  projection_width: 8}
                train.lock_text: 2
                """, in: folder)
            #expect(result.status == 0, "\(result.errors)")
            let (before, after) = try (FineTuning.weights(base.model), FineTuning.weights(folder + "/run"))
            #expect(after["text_projection.weight"]?.count == 8 * 16)
            let name = "text_model.encoder.layers.1.mlp.fc1.weight"
            #expect(before[name] == after[name])
        }
    }
}
