import ConcordCheckpoint
import ConcordCore
import ConcordTestSupport
import ConcordTrain
import Foundation
import Testing

/// Runs that start from a model trained on tiny data.
enum FineTuning {
    /// A model of two towers of two blocks each, made once for all tests, beside the data it was trained on.
    struct Base {
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

    static let base = Result { try Base() }

    /// Adapters for all layers that can have them.
    static let adapters = "train.lora: {rank: 2, alpha: 8, dropout: 0.1}"

    /// The data and the keys of the base, but for its `model` and `tokenizer` sections, and `more` lines.
    static func recipe(_ more: String) throws -> String {
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

    static func train(
        _ more: String, in folder: String, output: String = "run", _ arguments: String...
    ) throws -> Program.Result {
        try Files.replace(folder + "/recipe.yaml", with: recipe(more))
        return try Program.run(
            ["train", folder + "/recipe.yaml", "--output", "\(folder)/\(output)"] + arguments, in: folder)
    }

    /// The tensors of a model, by name.
    static func weights(_ folder: String) throws -> [String: [Float]] {
        let file = try SafetensorsFile(path: folder + "/model.safetensors")
        return Dictionary(
            uniqueKeysWithValues: try file.entries.map { entry in
                (entry.name, try file.withUnsafeBytes(of: entry) { Array($0.bindMemory(to: Float.self)) })
            })
    }

    static func losses(_ output: String) throws -> [String] {
        try MetricsLog.read(output + "/metrics.jsonl").map { try #require($0["loss"]?.text()) }
    }

    /// Trains from the base with `more` keys; which tensors have changed, and what the run printed.
    static func changes(_ more: String) throws -> (changed: Set<String>, all: Set<String>, errors: String) {
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
    static func refusal(_ more: String, code: ConcordError.Code = .invalidConfiguration) throws -> String {
        try withTemporaryFolder { folder in
            let recipe = try Recipe(yaml: Self.recipe(more), source: "test.yaml")
            let run = try TrainingRun(recipe: recipe, folder: RunFolder(folder + "/run"))
            let error = #expect(throws: ConcordError.self) { try run.train() }
            #expect(error?.code == code)
            #expect(!Files.exists(folder + "/run/metrics.jsonl"))
            return error?.message ?? ""
        }
    }
}
