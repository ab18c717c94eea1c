import ConcordCheckpoint
import ConcordCore
import ConcordEvaluate
import ConcordTensor
import ConcordTestSupport
import ConcordTrain
import Foundation
import Testing

/// Runs whose text tower is a sentence encoder: a tiny BERT that sentence-transformers has saved.
@Suite struct SentenceTowerTests {
    /// Writes the data, the sentence encoder with a vocabulary of letters, and the recipe; trains with `more` keys.
    private func train(_ more: String, _ body: (_ folder: String, _ encoder: String) throws -> Void) throws {
        try withTemporaryFolder { folder in
            _ = try TinyData.write(to: folder)
            let encoder = folder + "/encoder"
            try FileManager.default.copyItem(
                atPath: Golden.folder("models") + "/folders/bert-mean", toPath: encoder)
            let letters = "abcdefghijklmnopqrstuvwxyz".map(String.init)
            let tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + letters + letters.map { "##" + $0 }
            try Files.replace(encoder + "/vocab.txt", with: tokens.joined(separator: "\n") + "\n")
            try Files.replace(
                folder + "/recipe.yaml",
                with: """
                    data: {folder: \(folder), held_out_fraction: 0}
                    model.text_tower: \(encoder)
                    model.image_size: 16
                    model.patch_size: 8
                    model.vision: {width: 32, layers: 1, heads: 2}
                    train.epochs: 2
                    train.batch_size: 8
                    train.learning_rate: 1e-2
                    train.warmup_steps: 2
                    train.precision: float32
                    train.threads: 1
                    \(more)
                    """)
            let result = try Program.run(
                ["train", folder + "/recipe.yaml", "--output", folder + "/run"], in: folder)
            try #require(result.status == 0, "\(result.errors)")
            try body(folder, encoder)
        }
    }

    private static let texts = ["a red square", "grey", "", "a cyan square on pink and much behind it"]

    private func vectors(_ folder: String) throws -> (values: [Float], width: Int) {
        let vectors = try EmbeddingModel.load(folder).embed(texts: Self.texts).vectors
        return (vectors.scalars(as: Float.self), vectors.shape[1])
    }

    @Test func lockedItEmbedsTextsAsBeforeInASavedModelOfTwoTowers() throws {
        try train("train.lock_text: all") { folder, encoder in
            let (run, alone) = try (vectors(folder + "/run"), vectors(encoder))
            #expect(run.width == 16 && run.values == alone.values)
            let manifest = try ModelManifest(folder: folder + "/run")
            #expect(manifest.training?.baseModel == encoder && manifest.architecture == .dualEncoder)
            let evaluated = try Program.run(
                ["evaluate", "--model", folder + "/run", "--data", folder], in: folder)
            #expect(evaluated.status == 0, "\(evaluated.errors)")
        }
    }

    @Test func trainedItEmbedsTextsDifferently() throws {
        try train("train.weight_decay: 0") { folder, encoder in
            let (run, alone) = try (vectors(folder + "/run"), vectors(encoder))
            #expect(run.width == 16 && run.values != alone.values)
        }
    }

    @Test(arguments: ["linear", "perceptron"])
    func aNewProjectionTrainsBehindLockedBlocks(_ projection: String) throws {
        let more = "model.text_projection: \(projection)\nmodel.projection_width: 8\ntrain.lock_text: 2"
        try train(more) { folder, _ in
            let run = try vectors(folder + "/run")
            #expect(run.width == 8 && run.values.allSatisfy(\.isFinite))
        }
    }

    @Test func adaptersAreMergedIntoItsLayers() throws {
        try train("train.lora: {rank: 2, towers: [text]}") { folder, encoder in
            let (run, alone) = try (vectors(folder + "/run"), vectors(encoder))
            #expect(run.width == 16 && run.values != alone.values)
            let names = try CheckpointReader(path: folder + "/run").tensors.map(\.name)
            #expect(!names.contains { $0.contains("lora") })
        }
    }
}
