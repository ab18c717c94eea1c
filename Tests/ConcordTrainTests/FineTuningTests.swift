import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor
import ConcordTestSupport
import ConcordTrain
import Foundation
import Testing

/// Runs that start from a model trained on tiny data.
@Suite struct FineTuningTests {
    /// A model of two towers of two blocks each, made once for all tests, beside the data it was trained on.
    private struct Base {
        let folder: TemporaryFolder
        let model: String

        init() throws {
            folder = try TemporaryFolder()
            let recipe = try TinyData.write(to: folder.path, epochs: 2)
            model = folder.path + "/base"
            let result = try Program.run(
                ["train", recipe, "--output", model] + Base.twoBlocks, in: folder.path)
            guard result.status == 0 else { throw ConcordError(.unavailable, result.errors) }
        }

        static let twoBlocks = ["--set", "model.vision.layers=2", "--set", "model.text.layers=2"]
    }

    private static let base = Result { try Base() }

    /// The data and the keys of the base, but for its `model` and `tokenizer` sections, and `more` lines.
    private func recipe(_ more: String) throws -> String {
        """
        data:
          folder: \(try Self.base.get().folder.path)
          held_out_fraction: 0
          augmentation: {scale: [0.9, 1.0]}
        train.epochs: 2
        train.batch_size: 8
        train.learning_rate: 1e-2
        train.warmup_steps: 2
        train.precision: float32
        train.checkpoint_every: 3
        train.threads: 1
        \(more)
        """
    }

    private func train(
        _ more: String, in folder: String, output: String = "run", _ arguments: String...
    ) throws -> Program.Result {
        try Files.replace(folder + "/recipe.yaml", with: recipe(more))
        return try Program.run(
            ["train", folder + "/recipe.yaml", "--output", "\(folder)/\(output)"] + arguments, in: folder)
    }

    /// The tensors of a model, by name.
    private func weights(_ folder: String) throws -> [String: [Float]] {
        let file = try SafetensorsFile(path: folder + "/model.safetensors")
        return Dictionary(
            uniqueKeysWithValues: try file.entries.map { entry in
                (entry.name, try file.withUnsafeBytes(of: entry) { Array($0.bindMemory(to: Float.self)) })
            })
    }

    private func losses(_ output: String) throws -> [String] {
        try MetricsLog.read(output + "/metrics.jsonl").map { try #require($0["loss"]?.text()) }
    }

    /// Trains from the base with `more` keys; which tensors have changed, and what the run printed.
    private func changes(_ more: String) throws -> (changed: Set<String>, all: Set<String>, errors: String) {
        try withTemporaryFolder { folder in
            let base = try Self.base.get()
            let result = try train("model.start: \(base.model)\n" + more, in: folder)
            try #require(result.status == 0, "\(result.errors)")
            let (before, after) = try (weights(base.model), weights(folder + "/run"))
            #expect(Set(before.keys) == Set(after.keys))
            return (Set(before.keys.filter { before[$0] != after[$0] }), Set(before.keys), result.errors)
        }
    }

    /// The message of the error that ends the run before its first step.
    private func refusal(_ more: String, code: ConcordError.Code = .invalidConfiguration) throws -> String {
        try withTemporaryFolder { folder in
            let recipe = try Recipe(yaml: recipe(more), source: "test.yaml")
            let run = try TrainingRun(recipe: recipe, folder: RunFolder(folder + "/run"))
            let error = #expect(throws: ConcordError.self) { try run.train() }
            #expect(error?.code == code)
            #expect(!Files.exists(folder + "/run/metrics.jsonl"))
            return error?.message ?? ""
        }
    }

    // MARK: Starting

    @Test func aRunStartsFromEveryPartOfAModel() throws {
        let base = try Self.base.get()
        try withTemporaryFolder { folder in
            let result = try train("model.start: \(base.model)\ntrain: {learning_rate: 0}", in: folder)
            #expect(result.status == 0, "\(result.errors)")
            for name in ["model.safetensors", "config.json", "tokenizer.json", "preprocessor_config.json"] {
                let files = try [base.model, folder + "/run"].map { try Files.read($0 + "/" + name) }
                #expect(files[0] == files[1], "\(name)")
            }
        }
        let (changed, all, errors) = try changes("")
        #expect(changed == all)
        #expect(errors.contains("trainable: ") && errors.contains(base.model), "\(errors)")
    }

    @Test func anotherPictureSizeResizesThePositions() throws {
        let base = try Self.base.get()
        try withTemporaryFolder { folder in
            let result = try train("model.start: \(base.model)\nmodel.image_size: 24", in: folder)
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
        let base = try Self.base.get()
        try withTemporaryFolder { folder in
            let result = try train(
                "model.start: \(base.model)\nmodel.text.context_length: \(context)\ntrain: {learning_rate: 0}",
                in: folder)
            #expect(result.status == 0, "\(result.errors)")
            let name = "text_model.embeddings.position_embedding.weight"
            #expect(result.errors.contains("\(name) is resized from [16, 16] to [\(context), 16]"), "\(result.errors)")
            let configuration = try DualEncoderConfiguration(folder: folder + "/run")
            #expect(configuration.text.contextLength == context)
            #expect(try ModelManifest(folder: folder + "/run").contextLength == context)
            // Nothing was learned: all else is the base's, and the positions are those between its own.
            let (before, after) = try (weights(base.model), weights(folder + "/run"))
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
            let result = try train(
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
            let old = try #require(try weights(tower)[key])
            let new = try #require(try weights(folder + "/run")["text_model." + key])
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
            let result = try train(
                "model.start: \(folder)/base\nmodel.text.context_length: 24\ntrain: {learning_rate: 0}", in: folder)
            #expect(result.status == 0, "\(result.errors)")
            let name = "text_model.embeddings.position_embedding.weight"
            let (before, after) = try (weights(folder + "/base"), weights(folder + "/run"))
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
            let result = try train(
                "model: {text_tower: \(text), image_tower: \(image)}\ntrain: {learning_rate: 0}", in: folder)
            #expect(result.status == 0, "\(result.errors)")
            let run = try weights(folder + "/run")
            for (name, values) in try weights(text).merging(weights(image), uniquingKeysWith: { first, _ in first }) {
                #expect(run[name] == values, "\(name)")
            }
            let messages = try [
                refusal("model.start: \(text)"), refusal("model.start: \(image)"),
                refusal("model: {text_tower: \(image), vision: {layers: 1}}"),
                refusal("model: {image_tower: \(text), text: {layers: 1}}"),
            ]
            #expect(messages[0].contains("holds a text encoder alone"), "\(messages[0])")
            #expect(messages[1].contains("name it as model.image_tower"), "\(messages[1])")
            #expect(messages[2].contains("name it as model.image_tower"), "\(messages[2])")
            #expect(messages[3].contains("name it as model.text_tower"), "\(messages[3])")
        }
    }

    @Test func oneTowerIsTakenAndTheOtherIsNew() throws {
        let base = try Self.base.get()
        try withTemporaryFolder { folder in
            let result = try train(
                """
                model:
                  text_tower: \(base.model)
                  image_size: 16
                  patch_size: 4
                  vision: {width: 32, layers: 1, heads: 2}
                train: {lock_text: all, learning_rate: 1e-2}
                """, in: folder)
            #expect(result.status == 0, "\(result.errors)")
            let (before, after) = try (weights(base.model), weights(folder + "/run"))
            #expect(before.keys.filter { $0.hasPrefix("text_") }.allSatisfy { before[$0] == after[$0] })
            let configuration = try DualEncoderConfiguration(folder: folder + "/run")
            // The text projection is the base's, and so is the width it maps to.
            #expect(configuration.projectionWidth == 16 && configuration.vision.width == 32)
            #expect(try Files.read(folder + "/run/tokenizer.json") == Files.read(base.model + "/tokenizer.json"))
        }
    }

    @Test func theImageTowerIsTakenAndTheTextTowerIsNew() throws {
        let base = try Self.base.get()
        try withTemporaryFolder { folder in
            let result = try train(
                """
                model:
                  image_tower: \(base.model)
                  text: {width: 32, layers: 1, heads: 2, context_length: 12}
                  projection_width: 24
                tokenizer: {vocabulary_size: 550}
                train: {lock_image: 2}
                """, in: folder)
            #expect(result.status == 0, "\(result.errors)")
            let (before, after) = try (weights(base.model), weights(folder + "/run"))
            let kept = before.keys.filter { $0.hasPrefix("vision_model.e") || $0.hasPrefix("vision_model.pre") }
            #expect(kept.count == 37 && kept.allSatisfy { before[$0] == after[$0] })
            // The width is another, so the projection is new.
            #expect(after["visual_projection.weight"]?.count == 16 * 24)
        }
    }

    @Test func bothTowersOfOneFolderAreTheModelButForLogitScale() throws {
        let base = try Self.base.get()
        try withTemporaryFolder { folder in
            let result = try train(
                "model: {image_tower: \(base.model), text_tower: \(base.model)}\ntrain: {learning_rate: 0}", in: folder)
            #expect(result.status == 0, "\(result.errors)")
            let (before, after) = try (weights(base.model), weights(folder + "/run"))
            #expect(before.keys.filter { before[$0] != after[$0] } == ["logit_scale"])
        }
    }

    @Test func aNewTextProjectionMapsALoadedTower() throws {
        let base = try Self.base.get()
        try withTemporaryFolder { folder in
            let result = try train(
                """
                model: {image_tower: \(base.model), text_tower: \(base.model), text_projection: linear,
                  projection_width: 8}
                train.lock_text: 2
                """, in: folder)
            #expect(result.status == 0, "\(result.errors)")
            let (before, after) = try (weights(base.model), weights(folder + "/run"))
            #expect(after["text_projection.weight"]?.count == 8 * 16)
            let name = "text_model.encoder.layers.1.mlp.fc1.weight"
            #expect(before[name] == after[name])
        }
    }

    // MARK: Locks

    @Test func aLockedTextTowerKeepsItsBits() throws {
        let (changed, all, _) = try changes("train.lock_text: all")
        #expect(changed == all.filter { !$0.hasPrefix("text_") })
    }

    @Test func aLockedImageTowerKeepsItsBits() throws {
        let (changed, all, _) = try changes("train.lock_image: all")
        #expect(changed == all.filter { !$0.hasPrefix("vis") })
    }

    @Test func aNumberLocksTheEmbeddingsAndTheFirstBlocks() throws {
        let (changed, all, _) = try changes("train.lock_image: 1\ntrain.lock_text: 0")
        func isLocked(_ name: String) -> Bool {
            [
                "vision_model.embeddings", "vision_model.pre_layrnorm", "vision_model.encoder.layers.0",
                "text_model.embed",
            ]
            .contains { name.hasPrefix($0) }
        }
        #expect(changed == all.filter { !isLocked($0) })
    }

    @Test func captionsEmbeddedOnceTrainLikeCaptionsEmbeddedAtEveryStep() throws {
        let base = try Self.base.get()
        let curves = try [512, 0].map { megabytes in
            try withTemporaryFolder { folder in
                let result = try train(
                    "model.start: \(base.model)\ntrain: {lock_text: all, text_cache_megabytes: \(megabytes)}",
                    in: folder)
                #expect(result.status == 0, "\(result.errors)")
                return try losses(folder + "/run").map { try #require(Double($0)) }
            }
        }
        expectClose(curves[0], curves[1], absolute: 0, relative: 1e-5)
    }

    // MARK: Adapters

    private static let adapters = "train.lora: {rank: 2, alpha: 8, dropout: 0.1}"

    @Test func adaptersChangeTheLayersThatTheyAreMergedInto() throws {
        let (changed, all, errors) = try changes(Self.adapters)
        let layers = ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"].map { $0 + ".weight" }
        let expected = all.filter { name in layers.contains { name.hasSuffix($0) } }
        #expect(expected.count == 24)
        #expect(changed == expected.union(["logit_scale"]))
        // A and B of rank 2 for four layers of 16 + 16 and two of 16 + 64, in four blocks; and the logit scale: 2305.
        #expect(errors.contains("trainable: 2305 of "), "\(errors)")
    }

    @Test func aTowerWithoutAdaptersTrainsWhole() throws {
        let (changed, all, _) = try changes("train.lora: {rank: 2, towers: [text], targets: [v]}")
        #expect(
            changed
                == all.filter {
                    !$0.hasPrefix("text_") || $0.hasSuffix("v_proj.weight")
                })
    }

    @Test func aKilledRunWithAdaptersGoesOnWithTheSameBits() throws {
        let base = try Self.base.get()
        try withTemporaryFolder { folder in
            let keys = "model.start: \(base.model)\ntrain.ema_decay: 0.9\n" + Self.adapters
            let whole = try train(keys, in: folder, output: "whole")
            #expect(whole.status == 0, "\(whole.errors)")
            // What a kill after step 6 of 8 leaves: the checkpoint of step 6 and no model.
            let killed = folder + "/killed"
            try FileManager.default.copyItem(atPath: folder + "/whole", toPath: killed)
            for name in ["checkpoints/step-8", "concord.json", "model.safetensors"] {
                try FileManager.default.removeItem(atPath: killed + "/" + name)
            }
            let checkpoint = try SafetensorsFile(path: killed + "/checkpoints/step-6/model.safetensors")
            // Adapters and the logit scale; the model's own weights are in the folder it started from.
            #expect(checkpoint.entries.count == 2 * 24 + 1)
            let resumed = try train(keys, in: folder, output: "killed", "--resume")
            #expect(resumed.status == 0, "\(resumed.errors)")
            #expect(try losses(killed) == losses(folder + "/whole"))
            #expect(
                try Files.read(killed + "/model.safetensors") == Files.read(folder + "/whole/model.safetensors"))
        }
    }

    @Test func layersNearTheInputMoveLess() throws {
        let base = try Self.base.get()
        let before = try weights(base.model)
        /// Mean change of a tensor over one step of AdamW, which is about the learning rate.
        func moved(_ decay: Double, _ name: String) throws -> Double {
            try withTemporaryFolder { folder in
                let result = try train(
                    "model.start: \(base.model)\ntrain: {layer_decay: \(decay), weight_decay: 0, epochs: 1, "
                        + "batch_size: 32, warmup_steps: 0}", in: folder)
                #expect(result.status == 0, "\(result.errors)")
                let (old, new) = try (#require(before[name]), #require(weights(folder + "/run")[name]))
                return Double(zip(old, new).map { abs($0 - $1) }.reduce(0, +)) / Double(old.count)
            }
        }
        let name = "vision_model.encoder.layers.0.self_attn.v_proj.weight"
        let ratio = try moved(0.5, name) / moved(1, name)
        #expect(abs(ratio - 0.25) < 0.01, "\(ratio)")
    }

    // MARK: What cannot be

    @Test func aFolderThatIsNoModelIsRefused() throws {
        #expect(try refusal("model.start: nowhere", code: .fileSystem).contains("no folder nowhere"))
    }

    @Test func moreLockedBlocksThanThereAreAreRefused() throws {
        let base = try Self.base.get()
        let message = try refusal("model.start: \(base.model)\ntrain.lock_text: 3")
        #expect(message.contains("train.lock_text is 3") && message.contains("2 blocks"), "\(message)")
    }

    @Test func lockingEverythingIsRefused() throws {
        let base = try Self.base.get()
        let message = try refusal("model.start: \(base.model)\ntrain: {lock_text: all, lock_image: all}")
        #expect(message.contains("nothing of either tower"), "\(message)")
    }

    @Test func lockingANewProjectionIsRefused() throws {
        let base = try Self.base.get()
        let message = try refusal(
            "model: {image_tower: \(base.model), text_tower: \(base.model), text_projection: linear}\n"
                + "train.lock_text: all")
        #expect(message.contains("text_projection.weight") && message.contains("train.lock_text 2"), "\(message)")
    }

    @Test func anotherWidthThanTheTextTowersIsRefused() throws {
        let base = try Self.base.get()
        let message = try refusal("model: {text_tower: \(base.model), projection_width: 24}")
        #expect(message.contains("model.projection_width is 24"), "\(message)")
    }

    @Test func aPerceptronBehindATransformerIsRefused() throws {
        let base = try Self.base.get()
        let message = try refusal("model: {text_tower: \(base.model), text_projection: perceptron}")
        #expect(message.contains("BERT family"), "\(message)")
    }

    @Test func aPictureSizeThatIsNoMultipleOfThePatchIsRefused() throws {
        let base = try Self.base.get()
        let message = try refusal("model: {start: \(base.model), image_size: 20}")
        #expect(message.contains("model.image_size 20"), "\(message)")
    }

    @Test func aRankAboveTheWidthIsRefused() throws {
        let base = try Self.base.get()
        let message = try refusal("model.start: \(base.model)\ntrain.lora.rank: 17")
        #expect(message.contains("train.lora.rank 17"), "\(message)")
    }

    @Test func otherWeightsThanTheRunBeganWithAreNotResumed() throws {
        let base = try Self.base.get()
        try withTemporaryFolder { folder in
            let start = folder + "/start", output = folder + "/run"
            try FileManager.default.copyItem(atPath: base.model, toPath: start)
            let keys = "model.start: \(start)\n" + Self.adapters
            let first = try train(keys, in: folder)
            #expect(first.status == 0, "\(first.errors)")
            // The finished run is a model of the same kind with other weights.
            try Files.replace(start + "/model.safetensors", with: Files.read(output + "/model.safetensors"))
            try FileManager.default.removeItem(atPath: start + "/concord.json")
            let resumed = try train(keys, in: folder, "--resume")
            #expect(resumed.status == 1 && resumed.errors.contains(start + "/model.safetensors has changed"))
        }
    }

    @Test func eventsOfARunWithoutACheckpointDoNotStay() throws {
        try withTemporaryFolder { folder in
            let base = try Self.base.get()
            try Files.makeFolder(folder + "/run/events")
            try Files.replace(folder + "/run/events/events.out.tfevents.1.host", with: [0])
            let result = try train("model.start: \(base.model)", in: folder)
            #expect(result.status == 0, "\(result.errors)")
            let events = try FileManager.default.contentsOfDirectory(atPath: folder + "/run/events")
            #expect(events.count == 1 && events != ["events.out.tfevents.1.host"])
        }
    }
}
