import ConcordCheckpoint
import ConcordCore
import ConcordEvaluate
import ConcordModels
import ConcordTensor
import ConcordTestSupport
import ConcordTrain
import Foundation
import Testing

/// Whole runs of the program with other losses than the plain one.
@Suite struct LossRunTests {
    private func train(_ folder: String, _ output: String, _ settings: [String], _ more: String...) throws
        -> Program.Result
    {
        let assignments = settings.flatMap { ["--set", $0] }
        return try Program.run(
            ["train", folder + "/recipe.yaml", "--output", output] + assignments + more, in: folder)
    }

    private func metrics(_ output: String) throws -> [JSONValue] { try MetricsLog.read(output + "/metrics.jsonl") }

    private static let kinds: [[String]] = [
        ["loss.kind=infonce", "loss.plan=tiled", "loss.duplicates=positives"],
        ["loss.kind=infonce", "loss.plan=cached", "loss.chunk=3", "loss.matryoshka=[16, 4]"],
        ["loss.kind=siglip", "loss.duplicates=ignored"],
        ["loss.kind=triplet", "loss.mining=semi-hard", "loss.margin=0.3"],
    ]

    @Test(arguments: kinds) func aRunEndsWithAModelThatIsMeasured(_ settings: [String]) throws {
        try withTemporaryFolder { folder in
            _ = try TinyData.write(to: folder, epochs: 2)
            let output = folder + "/run"
            let result = try train(folder, output, settings)
            try #require(result.status == 0, "\(result.errors)")
            let lines = try metrics(output)
            #expect(lines.count == 8)
            for name in ["loss", "accuracy", "ln_n", "alignment", "uniformity_image", "uniformity_text"] {
                #expect(lines.allSatisfy { $0[name]?.double?.isFinite == true }, "\(name)")
            }
            let report = try String(contentsOfFile: output + "/report.html", encoding: .utf8)
            #expect(report.contains("Embeddings") && report.contains("Cosines: all, all"))
            let evaluated = try Program.run(["evaluate", "--model", output, "--data", folder], in: folder)
            #expect(evaluated.status == 0, "\(evaluated.errors)")
        }
    }

    @Test(arguments: kinds) func aRunGoesOnWithTheSameNumbers(_ settings: [String]) throws {
        try withTemporaryFolder { folder in
            _ = try TinyData.write(to: folder, epochs: 3)
            let whole = try train(folder, folder + "/whole", settings)
            try #require(whole.status == 0, "\(whole.errors)")
            // As if the run had been killed after its second checkpoint.
            let output = folder + "/whole", expected = try metrics(output).map { $0["loss"]?.double }
            let weights = try Files.read(output + "/model.safetensors")
            try FileManager.default.removeItem(atPath: output + "/checkpoints/step-12")
            try FileManager.default.removeItem(atPath: output + "/concord.json")
            let resumed = try train(folder, output, settings, "--resume")
            #expect(resumed.status == 0 && resumed.errors.contains("step 10"), "\(resumed.errors)")
            #expect(try metrics(output).map { $0["loss"]?.double } == expected)
            #expect(try Files.read(output + "/model.safetensors") == weights)
            let other = try train(folder, output, settings + ["loss.plan=dense"], "--resume")
            #expect(other.status == 1, "another plan is another recipe")
        }
    }

    @Test func aSigmoidModelKeepsItsBias() throws {
        try withTemporaryFolder { folder in
            _ = try TinyData.write(to: folder, epochs: 1)
            let output = folder + "/run"
            let settings = ["loss.kind=siglip", "train.ema_decay=0"]
            let result = try train(folder, output, settings)
            try #require(result.status == 0, "\(result.errors)")
            #expect(result.errors.contains("open_clip"), "\(result.errors)")
            let first = try #require(try metrics(output).first)
            #expect(first["logit_bias"]?.double == -10)
            #expect(abs((first["logit_scale"]?.double ?? 0) - 10) < 1e-4)

            // It is read back, goes to open_clip's form and back, and a run can start from it.
            let model = try EmbeddingModel.load(output), encoder = try model.imageTextEncoder()
            let bias = try #require(encoder.logitBias).item()
            #expect(bias != -10 && abs(bias + 10) < 0.1)
            #expect((encoder as? DualEncoder)?.configuration.initialLogitBias == -10)
            let converted = try Program.run(
                ["convert", "--model", output, "--to", "open_clip", "--output", folder + "/open"], in: folder)
            #expect(converted.status == 0, "\(converted.errors)")
            let open = try EmbeddingModel.load(folder + "/open")
            #expect(try open.imageTextEncoder().logitBias?.item() == bias)

            let start =
                #"data: {folder: "\#(folder)", held_out_fraction: 0}"#
                + "\nmodel.start: \(output)\nloss.kind: siglip\ntrain: "
                + "{batch_size: 8, epochs: 1, learning_rate: 0, warmup_steps: 0, precision: float32, threads: 1}\n"
            try Files.replace(folder + "/recipe.yaml", with: start)
            let again = try train(folder, folder + "/again", [])
            #expect(again.status == 0, "\(again.errors)")
            let line = try #require(try metrics(folder + "/again").first)
            #expect(abs((line["logit_bias"]?.double ?? 0) - bias) < 1e-6)
            let other = try train(folder, folder + "/other", ["loss.initial_bias=-3", "loss.initial_temperature=0.5"])
            #expect(other.status == 0, "\(other.errors)")
            let begun = try #require(try metrics(folder + "/other").first)
            #expect(begun["logit_bias"]?.double == -3 && abs((begun["logit_scale"]?.double ?? 0) - 2) < 1e-5)
        }
    }

    @Test func aStartWithoutABiasIsRefusedForTheSigmoid() throws {
        try withTemporaryFolder { folder in
            _ = try TinyData.write(to: folder, epochs: 1)
            let base = try train(folder, folder + "/base", [])
            try #require(base.status == 0, "\(base.errors)")
            let common =
                "data: {folder: \(folder), held_out_fraction: 0}\nloss.kind: siglip\n"
                + "train: {batch_size: 8, epochs: 1, precision: float32, threads: 1}\n"
            try Files.replace(folder + "/recipe.yaml", with: common + "model.start: \(folder)/base\n")
            let refused = try train(folder, folder + "/refused", [])
            #expect(refused.status == 1 && refused.errors.contains("model.image_tower"), "\(refused.errors)")
            // The way that the error names.
            try Files.replace(
                folder + "/recipe.yaml",
                with: common + "model: {image_tower: \(folder)/base, text_tower: \(folder)/base}\n")
            let made = try train(folder, folder + "/made", [])
            #expect(made.status == 0, "\(made.errors)")
            let line = try #require(try metrics(folder + "/made").first)
            #expect(line["logit_bias"]?.double == -10)
        }
    }

    @Test func aFixedTemperatureStays() throws {
        try withTemporaryFolder { folder in
            _ = try TinyData.write(to: folder, epochs: 1)
            let result = try train(folder, folder + "/run", ["loss.temperature=0.05"])
            try #require(result.status == 0, "\(result.errors)")
            let scales = try metrics(folder + "/run").compactMap { $0["logit_scale"]?.double }
            #expect(scales.count == 4 && scales.allSatisfy { abs($0 - 20) < 1e-4 })
        }
    }

    @Test(arguments: [("[8, 4]", "16"), ("[32, 16]", "16"), ("[16, 16]", "twice")])
    func widthsThatTheEmbeddingHasNotAreRefused(_ widths: String, _ text: String) throws {
        try withTemporaryFolder { folder in
            _ = try TinyData.write(to: folder, epochs: 1)
            let result = try train(folder, folder + "/run", ["loss.matryoshka=\(widths)"])
            #expect(result.status == 1)
            #expect(result.errors.contains("loss.matryoshka") && result.errors.contains(text), "\(result.errors)")
        }
    }

    @Test func aCollapseIsPrintedOnce() throws {
        try withTemporaryFolder { folder in
            _ = try TinyData.write(to: folder, epochs: 16)
            // Nothing learns, so pictures stay near the one point where they begin.
            let result = try train(
                folder, folder + "/run", ["train.learning_rate=0", "train.warmup_steps=0", "loss.temperature=10"])
            try #require(result.status == 0, "\(result.errors)")
            let hits = result.errors.components(separatedBy: "nothing is learned").count - 1
            #expect(hits == 1, "\(result.errors)")
        }
    }

    @Test func metricsThatAreNotLoggedAreNotMeasured() throws {
        try withTemporaryFolder { folder in
            _ = try TinyData.write(to: folder, epochs: 2)
            let result = try train(folder, folder + "/run", ["train.log_every=3"])
            try #require(result.status == 0, "\(result.errors)")
            let lines = try metrics(folder + "/run")
            #expect(lines.compactMap { $0["step"]?.int } == [3, 6, 8])
            #expect(lines.allSatisfy { $0["accuracy"]?.double != nil })
        }
    }
}
